using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Puts a job that failed, was canceled or expired back on its queue, to run now.</summary>
/// <remarks>
/// It is the same job, with the same id: its attempts are counted anew, the earlier ones stay on record, and what continues it is
/// enqueued again when it ends. A unique job whose key another one has by now stays as it is.
/// </remarks>
public static class RetryJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/{id:guid}/retry", Post)
                .RequirePermission(Permissions.JobsOperate)
                .WithName(nameof(RetryJob))
                .WithTags("Jobs")
                .Produces<JobView>()
                .ProducesProblems(
                    JobProblems.Finished,
                    JobProblems.Unfinished,
                    JobProblems.KeyTaken,
                    JobProblems.UnknownQueue,
                    JobProblems.Internal
                );

        /// <summary>Retry a job</summary>
        public static async Task<IResult> Post(Guid id, IMediator mediator, CancellationToken cancellationToken) =>
            (await mediator.Send(new Command(id), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed class Verb : CliVerb
    {
        private readonly Argument<Guid> _job = new("job") { Description = "its id" };

        public Verb()
            : base("jobs retry", "Put a job that did not succeed back on its queue.") => Add(_job);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(new Command(session.Get(_job)), job => $"{job.Id} {job.State}", cancellationToken);
    }

    public sealed record Command(Guid Id) : IRequest<Result<JobView>>;

    internal sealed class Handler(JobActions actions, JobKinds kinds, Caller caller)
        : IRequestHandler<Command, Result<JobView>>
    {
        public Task<Result<JobView>> Handle(Command request, CancellationToken cancellationToken) =>
            actions.TakeAsync(
                request.Id,
                "retry",
                async (connection, job) =>
                {
                    if (!job.IsOver)
                    {
                        return JobProblems.IsUnfinished(job.StateWord);
                    }

                    if (job.StateWord == JobState.Succeeded)
                    {
                        return JobProblems.IsFinished(job.StateWord);
                    }

                    if (!kinds.IsReached(job.Kind, caller.Access))
                    {
                        return JobProblems.IsOutOfReach();
                    }

                    var retried = await JobRetries.RetryAsync(
                        connection,
                        caller.ProjectId,
                        [request.Id],
                        cancellationToken
                    );
                    return retried switch
                    {
                        [{ IsBack: true }] => true,
                        [{ HasQueue: false }] => JobProblems.UnknownQueue.Because($"The queue {job.Queue} is no more."),
                        _ => JobProblems.IsKeyTaken(),
                    };
                },
                cancellationToken
            );
    }
}
