using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Lets the jobs of a paused queue be started again, those that are due at once.</summary>
/// <remarks>Done twice it is as done once.</remarks>
public static class ResumeQueue
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/queues/{id}/resume", Post)
                .RequirePermission(Permissions.QueuesOperate)
                .WithName(nameof(ResumeQueue))
                .WithTags("Queues")
                .Produces<QueueView>();

        /// <summary>Resume a queue</summary>
        public static async Task<IResult> Post(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Command(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _queue = new("--name") { Description = "its name or id", Required = true };

        public Verb()
            : base("queues resume", "Let the jobs of a queue be started again.") => Add(_queue);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(NameOrId.Parse(session.Get(_queue)!)),
                queue => $"{queue.Name} active",
                cancellationToken
            );
    }

    public sealed record Command(NameOrId Queue) : IRequest<Result<QueueView>>;

    internal sealed class Handler(SavedQueues queues) : IRequestHandler<Command, Result<QueueView>>
    {
        public Task<Result<QueueView>> Handle(Command request, CancellationToken cancellationToken) =>
            queues.SetPausedAsync(request.Queue, isPaused: false, cancellationToken);
    }
}
