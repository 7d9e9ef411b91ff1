using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Gives one job back: another worker may have it, and the attempt does not count.</summary>
/// <remarks>A worker that ends releases all it holds.</remarks>
public static class ReleaseJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/{id:guid}/release", Post)
                .RequirePermission(Permissions.JobsWork)
                .InBucket(RateBucket.Work)
                .WithoutIdempotencyKey()
                .WithName(nameof(ReleaseJob))
                .WithTags("Workers")
                .Produces<EndView>()
                .ProducesProblems(JobProblems.LeaseLost, Problems.Invalid);

        /// <summary>Release a job</summary>
        public static async Task<IResult> Post(
            Guid id,
            Body<Report> body,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(id, body.Value), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(Guid Id, Report Report) : IRequest<Result<EndView>>;

    /// <param name="Lease">As the claim gave it.</param>
    /// <param name="DelaySeconds">0 to 86,400; null: at once.</param>
    public sealed record Report(
        [property: MaxLength(Workers.Lease.Length)] string? Lease,
        [property: Range(0, 86_400)] double? DelaySeconds = null
    ) : IExampled<Report>
    {
        public static Report Example => new(new Lease(1, Story.ClaimKey).ToString());
    }

    internal sealed class Handler(WorkerEnds ends) : IRequestHandler<Command, Result<EndView>>
    {
        public Task<Result<EndView>> Handle(Command request, CancellationToken cancellationToken) =>
            ends.StoreOneAsync(
                new EndDocument(
                    request.Id,
                    request.Report.Lease,
                    "released",
                    DelaySeconds: request.Report.DelaySeconds
                ),
                cancellationToken
            );
    }
}
