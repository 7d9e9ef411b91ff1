using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Deletes a queue that has no unfinished jobs; its name is free again, and the history of its jobs stays.</summary>
/// <remarks>A job that is enqueued at the same moment is either refused, or keeps the queue from being deleted.</remarks>
public static class DeleteQueue
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/queues/{id}", Delete)
                .RequirePermission(Permissions.QueuesWrite)
                .WithName(nameof(DeleteQueue))
                .WithTags("Queues")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblems(QueueProblems.BuiltIn, QueueProblems.NotEmpty);

        /// <summary>Delete a queue</summary>
        public static async Task<IResult> Delete(
            string id,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), precondition);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _queue = new("--name") { Description = "its name or id", Required = true };

        public Verb()
            : base("queues delete", "Delete a queue that has no unfinished jobs.") => Add(_queue);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(NameOrId.Parse(session.Get(_queue)!), Precondition.Any),
                queue => $"{queue.Name} deleted",
                cancellationToken
            );
    }

    public sealed record Command(NameOrId Queue, Precondition Precondition) : IRequest<Result<QueueView>>;

    internal sealed class Handler(SavedQueues queues) : IRequestHandler<Command, Result<QueueView>>
    {
        public Task<Result<QueueView>> Handle(Command request, CancellationToken cancellationToken) =>
            queues.DeleteAsync(request.Queue, request.Precondition, cancellationToken);
    }
}
