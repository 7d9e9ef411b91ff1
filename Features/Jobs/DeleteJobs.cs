using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using Dapper;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Deletes many jobs that are over, with their attempts and log lines, up to 1,000 a request.</summary>
/// <remarks>
/// A job that something waited for, such as a run, is kept for an hour, since it may still be looked at. One that other jobs still wait
/// for is refused: they go on when it was retried, and could not without it.
/// </remarks>
public static class DeleteJobs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/bulk/delete", Post)
                .RequirePermission(Permissions.JobsOperate)
                .InBucket(RateBucket.Bulk)
                .WithName(nameof(DeleteJobs))
                .WithTags("Jobs")
                .Produces<JobsReport>()
                .ProducesProblems(Problems.Invalid);

        /// <summary>Delete many jobs</summary>
        public static async Task<IResult> Post(
            Body<JobsAction> body,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(body.Value), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed class Verb : CliVerb
    {
        private readonly Argument<Guid[]> _jobs = new("job") { Description = "ids of jobs that are over" };

        public Verb()
            : base("jobs delete", "Delete jobs that are over.") => Add(_jobs);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(new JobsAction(new JobFilter(session.Get(_jobs)))),
                report => $"{report.Affected} deleted",
                cancellationToken
            );
    }

    public sealed record Command(JobsAction Action) : IRequest<Result<JobsReport>>;

    internal sealed class Handler(JobSelection selection, Caller caller) : IRequestHandler<Command, Result<JobsReport>>
    {
        private const string HasChildren = "has_children"; // a job alone cannot be deleted, so it is nobody else's answer

        public Task<Result<JobsReport>> Handle(Command request, CancellationToken cancellationToken) =>
            selection.TakeAsync(
                request.Action,
                "bulk-delete",
                JobPick.Finished,
                async (work, ids) =>
                {
                    var there = await QueryAsync(Sql.Lock);
                    var gone = await QueryAsync(Sql.Delete);
                    return
                    [
                        .. ids.Where(id => !gone.Contains(id))
                            .Select(id => new RefusedJob(
                                id,
                                there.Contains(id) ? HasChildren : JobProblems.Unfinished.Code
                            )),
                    ];

                    async Task<HashSet<Guid>> QueryAsync(string sql) =>
                        [
                            .. await work.Connection.QueryAsync<Guid>(
                                sql.With(new { caller.ProjectId, Ids = ids }, cancellationToken)
                            ),
                        ];
                },
                cancellationToken
            );
    }

    private static class Sql
    {
        // who is enqueued to wait for one of them holds its row: it is seen by the next statement, or does not find the job
        public const string Lock = """
            SELECT h.id
            FROM unnest(@Ids::uuid[]) AS m(id)
            JOIN job_history h ON h.project_id = @ProjectId AND h.id = m.id AND h.finished_at >= id_time(m.id) - interval '1 minute'
            ORDER BY h.id
            FOR UPDATE OF h
            """;

        public const string Delete = """
            WITH gone AS (
                DELETE FROM job_history h
                USING unnest(@Ids::uuid[]) AS m(id)
                WHERE h.project_id = @ProjectId AND h.id = m.id AND h.finished_at >= id_time(m.id) - interval '1 minute'
                    AND NOT EXISTS (SELECT FROM job_edges e WHERE e.project_id = @ProjectId AND e.parent_id = m.id)
                RETURNING h.id
            ),
            attempts AS (
                DELETE FROM job_attempts a
                USING gone g
                WHERE a.project_id = @ProjectId AND a.job_id = g.id AND a.at >= id_time(g.id) - interval '1 minute'
            ),
            lines AS (
                DELETE FROM job_logs l
                USING gone g
                WHERE l.project_id = @ProjectId AND l.job_id = g.id AND l.at >= id_time(g.id) - interval '1 minute'
            )
            SELECT id FROM gone
            """;
    }
}
