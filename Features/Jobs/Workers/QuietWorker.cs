using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Tells a worker to claim no more and to finish what it executes.</summary>
/// <remarks>It is told at its next claim or heartbeat, at once where it waits for jobs. One that does not ask is not told.</remarks>
public static class QuietWorker
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/workers/{id:guid}/quiet", Post)
                .RequirePermission(Permissions.JobsOperate)
                .WithName(nameof(QuietWorker))
                .WithTags("Workers")
                .Produces<WorkerView>();

        /// <summary>Quiet a worker</summary>
        public static async Task<IResult> Post(Guid id, IMediator mediator, CancellationToken cancellationToken) =>
            (await mediator.Send(new Command(id), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(Guid Id) : IRequest<Result<WorkerView>>;

    internal sealed class Handler(DirectedWorkers workers) : IRequestHandler<Command, Result<WorkerView>>
    {
        public Task<Result<WorkerView>> Handle(Command request, CancellationToken cancellationToken) =>
            workers.DirectAsync(request.Id, Directive.Quiet, "quiet", cancellationToken);
    }
}
