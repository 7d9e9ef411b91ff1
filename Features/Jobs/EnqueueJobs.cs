using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Puts up to 1,000 jobs on queues with one request; each is stored or refused by itself, or with <c>?atomic=true</c> all or none.</summary>
/// <remarks>They are stored when the answer comes, in one statement.</remarks>
public static class EnqueueJobs
{
    private const string Member = "jobs";

    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/bulk", Post)
                .RequirePermission(Permissions.JobsWrite)
                .WithQuery("atomic")
                .InBucket(RateBucket.Bulk)
                .WithBodyLimit(Bulk.MaxBytes)
                .WithName(nameof(EnqueueJobs))
                .WithTags("Jobs")
                .Produces<BulkAnswer>()
                .ProducesProblems(Problems.Invalid);

        /// <summary>Enqueue many jobs</summary>
        /// <param name="atomic">All of them or none.</param>
        public static async Task<IResult> Post(
            Body<JobDocuments> body,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken,
            bool atomic = false
        )
        {
            var result = await mediator.Send(new Command(body.Value, atomic), cancellationToken);
            return result.ToHttp(results =>
                TypedResults.Ok(Bulk.Answer(http, results, job => job.Id, job => job.IsNew))
            );
        }
    }

    public sealed record Command(JobDocuments Documents, bool IsAtomic)
        : IRequest<Result<IReadOnlyList<Result<EnqueuedJob>>>>;

    internal sealed class Handler(EnqueuedJobs jobs)
        : IRequestHandler<Command, Result<IReadOnlyList<Result<EnqueuedJob>>>>
    {
        public async Task<Result<IReadOnlyList<Result<EnqueuedJob>>>> Handle(
            Command request,
            CancellationToken cancellationToken
        )
        {
            var read = Bulk.Read<JobDocument>(request.Documents.Jobs, Member);
            if (read.Problem is { } unfit)
            {
                return unfit;
            }

            var results = await jobs.EnqueueAsync(read.Unwrap(), request.IsAtomic, cancellationToken);
            return request.IsAtomic && Bulk.AtomicProblem(results, Member) is { } problem
                ? problem
                : Result.Of(results);
        }
    }
}
