using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Lets a worker that was told to be quiet claim again.</summary>
/// <remarks>One that has ended by then does not come back by it: a new process has a new id.</remarks>
public static class ResumeWorker
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/workers/{id:guid}/resume", Post)
                .RequirePermission(Permissions.JobsOperate)
                .WithName(nameof(ResumeWorker))
                .WithTags("Workers")
                .Produces<WorkerView>();

        /// <summary>Resume a worker</summary>
        public static async Task<IResult> Post(Guid id, IMediator mediator, CancellationToken cancellationToken) =>
            (await mediator.Send(new Command(id), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(Guid Id) : IRequest<Result<WorkerView>>;

    internal sealed class Handler(DirectedWorkers workers) : IRequestHandler<Command, Result<WorkerView>>
    {
        public Task<Result<WorkerView>> Handle(Command request, CancellationToken cancellationToken) =>
            workers.DirectAsync(request.Id, Directive.Run, "resume", cancellationToken);
    }
}
