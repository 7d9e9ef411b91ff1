using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Cancels many jobs, up to 1,000 a request: at once what is not running, and what runs is told to stop and has half a minute.</summary>
public static class CancelJobs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/bulk/cancel", Post)
                .RequirePermission(Permissions.JobsOperate)
                .InBucket(RateBucket.Bulk)
                .WithName(nameof(CancelJobs))
                .WithTags("Jobs")
                .Produces<JobsReport>()
                .ProducesProblems(Problems.Invalid);

        /// <summary>Cancel many jobs</summary>
        public static async Task<IResult> Post(
            Body<JobsAction> body,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(body.Value), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(JobsAction Action) : IRequest<Result<JobsReport>>;

    internal sealed class Handler(JobSelection selection, QueueSignals signals, Caller caller)
        : IRequestHandler<Command, Result<JobsReport>>
    {
        private static readonly TimeSpan Grace = TimeSpan.FromSeconds(JobCancel.UsualGraceSeconds);

        public Task<Result<JobsReport>> Handle(Command request, CancellationToken cancellationToken) =>
            selection.TakeAsync(
                request.Action,
                "bulk-cancel",
                JobPick.Unfinished,
                async (work, ids) =>
                {
                    var canceled = await JobCancels.CancelAsync(
                        work.Connection,
                        caller.ProjectId,
                        ids,
                        force: false,
                        Grace,
                        cancellationToken
                    );
                    foreach (var running in canceled.Where(job => !job.HasEnded))
                    {
                        work.AfterCommit(() => signals.RaiseCancel(running.Id));
                    }

                    var done = canceled.Select(job => job.Id).ToHashSet();
                    return
                    [
                        .. ids.Where(id => !done.Contains(id))
                            .Select(id => new RefusedJob(id, JobProblems.Finished.Code)),
                    ];
                },
                cancellationToken
            );
    }
}
