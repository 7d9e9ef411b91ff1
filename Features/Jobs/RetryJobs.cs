using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Puts many jobs that did not succeed back on their queues, up to 1,000 a request.</summary>
/// <remarks>Those whose key another job has by now stay as they are, and are named.</remarks>
public static class RetryJobs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/bulk/retry", Post)
                .RequirePermission(Permissions.JobsOperate)
                .InBucket(RateBucket.Bulk)
                .WithName(nameof(RetryJobs))
                .WithTags("Jobs")
                .Produces<JobsReport>()
                .ProducesProblems(Problems.Invalid);

        /// <summary>Retry many jobs</summary>
        public static async Task<IResult> Post(
            Body<JobsAction> body,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(body.Value), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(JobsAction Action) : IRequest<Result<JobsReport>>;

    internal sealed class Handler(JobSelection selection, Caller caller) : IRequestHandler<Command, Result<JobsReport>>
    {
        public Task<Result<JobsReport>> Handle(Command request, CancellationToken cancellationToken) =>
            selection.TakeAsync(
                request.Action,
                "bulk-retry",
                JobPick.Retriable,
                async (work, ids) =>
                {
                    var retried = await JobRetries.RetryAsync(
                        work.Connection,
                        caller.ProjectId,
                        ids,
                        cancellationToken
                    );
                    var seen = retried.ToDictionary(job => job.Id);
                    return
                    [
                        // one that is not seen any more was put back, or deleted, a moment ago
                        .. ids.Where(id => seen.GetValueOrDefault(id) is not { IsBack: true })
                            .Select(id => new RefusedJob(
                                id,
                                (seen.GetValueOrDefault(id)?.Why ?? JobProblems.Unfinished).Code
                            )),
                    ];
                },
                cancellationToken
            );
    }
}
