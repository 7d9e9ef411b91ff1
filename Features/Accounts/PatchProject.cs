using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Mediation;
using Carter;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Gives a project another name, which only its owners do. Its id stays, and so does everything in it.</summary>
/// <remarks>
/// The old name is free at once: whoever names the project by it in <c>Bellhop-Project</c> or a setting is to be told. The name
/// <c>default</c> is given by the command line alone.
/// </remarks>
public static class PatchProject
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPatch("/v1/projects/{id}", Patch)
                .RequireUser()
                .WithName(nameof(PatchProject))
                .WithTags("Projects")
                .Produces<ProjectView>()
                .ProducesProblems(Problems.NameTaken, Problems.Invalid);

        /// <summary>Rename a project</summary>
        public static async Task<IResult> Patch(
            string id,
            MergePatch<ProjectDocument> patch,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(NameOrId.Parse(id), patch, precondition), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _project = new("--name") { Description = "what it is called", Required = true };
        private readonly Option<string> _to = new("--to") { Description = "its new name", Required = true };

        public Verb()
            : base("projects rename", "Give a project another name.") => Add(_project, _to);

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(
                    NameOrId.Parse(session.Get(_project)!),
                    MergePatch<ProjectDocument>.Of(new { name = session.Get(_to) }),
                    Precondition.Any
                ),
                renamed => $"{renamed.Id} {renamed.Name}",
                cancellationToken
            );
    }

    public sealed record Command(NameOrId Project, MergePatch<ProjectDocument> Patch, Precondition Precondition)
        : IRequest<Result<ProjectView>>;

    internal sealed class Handler(SavedProjects projects, IValidator<ProjectDocument> rules)
        : IRequestHandler<Command, Result<ProjectView>>
    {
        public Task<Result<ProjectView>> Handle(Command request, CancellationToken cancellationToken) =>
            projects.RenameAsync(request.Project, project => Change(request, project), cancellationToken);

        private Result<ProjectDocument> Change(Command request, ProjectView project)
        {
            if (request.Precondition.Check(project) is { } failed)
            {
                return failed;
            }

            var patched = request.Patch.ApplyTo(new ProjectDocument(project.Name));
            return patched.Problem is { } malformed ? malformed
                : ValidationProblem.Of(rules.Validate(patched.Unwrap())) is { } unsound ? unsound
                : patched;
        }
    }
}
