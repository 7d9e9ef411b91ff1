using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Makes a queue: from here on jobs can be enqueued on it.</summary>
public static class CreateQueue
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/queues", Post)
                .RequirePermission(Permissions.QueuesWrite)
                .WithName(nameof(CreateQueue))
                .WithTags("Queues")
                .Produces<QueueView>(StatusCodes.Status201Created)
                .ProducesProblems(Problems.NameTaken);

        /// <summary>Create a queue</summary>
        public static async Task<IResult> Post(
            Body<QueueDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToResource(StatusCodes.Status201Created, queue => $"/v1/queues/{queue.Id}");
        }
    }

    public sealed record Command(QueueDocument Document) : IRequest<Result<QueueView>>;

    internal sealed class Handler(SavedQueues queues) : IRequestHandler<Command, Result<QueueView>>
    {
        public Task<Result<QueueView>> Handle(Command request, CancellationToken cancellationToken) =>
            queues.CreateAsync(request.Document, cancellationToken);
    }
}
