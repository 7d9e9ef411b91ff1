using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Puts a project that was archived into use again, as it was; only its owners do.</summary>
/// <remarks>Holds within five seconds in every process; done twice it is as done once.</remarks>
public static class RestoreProject
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/projects/{id}/restore", Post)
                .RequireUser()
                .WithName(nameof(RestoreProject))
                .WithTags("Projects")
                .Produces<ProjectView>();

        /// <summary>Restore a project</summary>
        public static async Task<IResult> Post(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Command(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _project = new("--name") { Description = "its name or id", Required = true };

        public Verb()
            : base("projects restore", "Put an archived project into use again.") => Add(_project);

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(NameOrId.Parse(session.Get(_project)!)),
                done => $"{done.Id} {done.Name}",
                cancellationToken
            );
    }

    public sealed record Command(NameOrId Project) : IRequest<Result<ProjectView>>;

    internal sealed class Handler(SavedProjects projects) : IRequestHandler<Command, Result<ProjectView>>
    {
        public Task<Result<ProjectView>> Handle(Command request, CancellationToken cancellationToken) =>
            projects.SetArchivedAsync(request.Project, isArchived: false, cancellationToken);
    }
}
