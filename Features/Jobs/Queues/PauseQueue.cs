using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Lets no more jobs of a queue be started; what runs goes on, and jobs are taken in as before.</summary>
/// <remarks>A tenth of a second after the answer none is started any more. Done twice it is as done once.</remarks>
public static class PauseQueue
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/queues/{id}/pause", Post)
                .RequirePermission(Permissions.QueuesOperate)
                .WithName(nameof(PauseQueue))
                .WithTags("Queues")
                .Produces<QueueView>();

        /// <summary>Pause a queue</summary>
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
            : base("queues pause", "Let no more jobs of a queue be started; what runs goes on.") => Add(_queue);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(NameOrId.Parse(session.Get(_queue)!)),
                queue => $"{queue.Name} paused",
                cancellationToken
            );
    }

    public sealed record Command(NameOrId Queue) : IRequest<Result<QueueView>>;

    internal sealed class Handler(SavedQueues queues) : IRequestHandler<Command, Result<QueueView>>
    {
        public Task<Result<QueueView>> Handle(Command request, CancellationToken cancellationToken) =>
            queues.SetPausedAsync(request.Queue, isPaused: true, cancellationToken);
    }
}
