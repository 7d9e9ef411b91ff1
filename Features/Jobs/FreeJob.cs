using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Lets a job that was held go its way again: it is due when it was, and waits for its lane or other jobs as before.</summary>
/// <remarks>A job that is not held stays as it is.</remarks>
public static class FreeJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/{id:guid}/free", Post)
                .RequirePermission(Permissions.JobsOperate)
                .WithName(nameof(FreeJob))
                .WithTags("Jobs")
                .Produces<JobView>()
                .ProducesProblems(JobProblems.Finished, JobProblems.Internal);

        /// <summary>Free a job</summary>
        public static async Task<IResult> Post(Guid id, IMediator mediator, CancellationToken cancellationToken) =>
            (await mediator.Send(new Command(id), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed class Verb : CliVerb
    {
        private readonly Argument<Guid> _job = new("job") { Description = "its id" };

        public Verb()
            : base("jobs free", "Let a job that was held go its way again.") => Add(_job);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(new Command(session.Get(_job)), job => $"{job.Id} {job.State}", cancellationToken);
    }

    public sealed record Command(Guid Id) : IRequest<Result<JobView>>;

    internal sealed class Handler(JobActions actions, Caller caller) : IRequestHandler<Command, Result<JobView>>
    {
        public Task<Result<JobView>> Handle(Command request, CancellationToken cancellationToken) =>
            actions.TakeAsync(
                request.Id,
                "free",
                async (connection, job) =>
                    job.IsOver
                        ? JobProblems.IsFinished(job.StateWord)
                        : await connection.ExecuteAsync(
                            Sql.Free.With(new { caller.ProjectId, request.Id }, cancellationToken)
                        ) > 0,
                cancellationToken
            );
    }

    private static class Sql
    {
        // other jobs before the lane: who waits for both takes a place in the lane when nothing else is in the way
        public const string Free = """
            WITH held AS (
                SELECT j.id,
                    CASE
                        WHEN EXISTS (SELECT FROM job_edges e WHERE e.project_id = j.project_id AND e.child_id = j.id) THEN 2
                        WHEN j.lane IS NOT NULL AND (q.lane_ordered OR q.lane_limit IS NOT NULL) THEN 1
                        ELSE 0
                    END AS waits_for
                FROM jobs j
                JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
                WHERE j.project_id = @ProjectId AND j.id = @Id AND j.state = 0 AND j.wait_reason = 3
            )
            UPDATE jobs j
            SET state = CASE WHEN h.waits_for = 0 THEN 1 ELSE 0 END, wait_reason = h.waits_for
            FROM held h
            WHERE j.project_id = @ProjectId AND j.id = h.id AND j.state = 0 AND j.wait_reason = 3
            """;
    }
}
