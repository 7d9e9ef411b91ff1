using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Puts one job off: it comes again later, and the attempt does not count.</summary>
/// <remarks>After a thousand times it is failed.</remarks>
public static class SnoozeJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/{id:guid}/snooze", Post)
                .RequirePermission(Permissions.JobsWork)
                .InBucket(RateBucket.Work)
                .WithoutIdempotencyKey()
                .WithName(nameof(SnoozeJob))
                .WithTags("Workers")
                .Produces<EndView>()
                .ProducesProblems(JobProblems.LeaseLost, Problems.Invalid);

        /// <summary>Snooze a job</summary>
        public static async Task<IResult> Post(
            Guid id,
            Body<Report> body,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(id, body.Value), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(Guid Id, Report Report) : IRequest<Result<EndView>>;

    /// <param name="Lease">As the claim gave it.</param>
    /// <param name="DelaySeconds">0 to 86,400.</param>
    public sealed record Report(
        [property: MaxLength(Workers.Lease.Length)] string? Lease,
        [property: Range(0, 86_400)] double? DelaySeconds = null
    ) : IExampled<Report>
    {
        public static Report Example => new(new Lease(1, Story.ClaimKey).ToString(), 60);
    }

    internal sealed class Handler(WorkerEnds ends) : IRequestHandler<Command, Result<EndView>>
    {
        public Task<Result<EndView>> Handle(Command request, CancellationToken cancellationToken) =>
            ends.StoreOneAsync(
                new EndDocument(request.Id, request.Report.Lease, "snoozed", DelaySeconds: request.Report.DelaySeconds),
                cancellationToken
            );
    }
}
