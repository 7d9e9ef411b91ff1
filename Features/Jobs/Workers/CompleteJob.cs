using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Ends one job as succeeded: <see cref="FinishJobs"/> for curl.</summary>
/// <remarks>Told again with the same lease it is a <c>duplicate</c>, which is a success.</remarks>
public static class CompleteJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/{id:guid}/complete", Post)
                .RequirePermission(Permissions.JobsWork)
                .InBucket(RateBucket.Work)
                .WithoutIdempotencyKey()
                .WithName(nameof(CompleteJob))
                .WithTags("Workers")
                .Produces<EndView>()
                .ProducesProblems(JobProblems.LeaseLost, Problems.Invalid);

        /// <summary>Complete a job</summary>
        public static async Task<IResult> Post(
            Guid id,
            Body<Report> body,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(id, body.Value), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(Guid Id, Report Report) : IRequest<Result<EndView>>;

    /// <param name="Lease">As the claim gave it.</param>
    /// <param name="Result">Any JSON, 256 KiB at most.</param>
    public sealed record Report([property: MaxLength(Workers.Lease.Length)] string? Lease, JsonElement? Result = null)
        : IExampled<Report>
    {
        public static Report Example => new(new Lease(1, Story.ClaimKey).ToString(), Story.Json("""{"letters":52}"""));
    }

    internal sealed class Handler(WorkerEnds ends) : IRequestHandler<Command, Result<EndView>>
    {
        public Task<Result<EndView>> Handle(Command request, CancellationToken cancellationToken) =>
            ends.StoreOneAsync(
                new EndDocument(request.Id, request.Report.Lease, "succeeded", request.Report.Result),
                cancellationToken
            );
    }
}
