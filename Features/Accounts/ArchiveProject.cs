using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Archives a project, which only its owners do: from then on it is read, and nothing in it is changed.</summary>
/// <remarks>
/// No events, jobs or webhooks are taken in, and no worker claims. What was accepted before is carried out: its runs, the jobs of
/// the service's own queues and its deliveries; but who was invited joins once it is restored. Holds within five seconds in every
/// process; done twice it is as done once.
/// </remarks>
public static class ArchiveProject
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/projects/{id}/archive", Post)
                .RequireUser()
                .WithName(nameof(ArchiveProject))
                .WithTags("Projects")
                .Produces<ProjectView>();

        /// <summary>Archive a project</summary>
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
            : base("projects archive", "Archive a project: it is read, and changed no more.") => Add(_project);

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
            projects.SetArchivedAsync(request.Project, isArchived: true, cancellationToken);
    }
}
