using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Ends jobs that were to start by now and have not: they are expired. A claim that finds one sooner does the same.</summary>
public static class ExpireJobs
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(5);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Expired);

    internal sealed class Handler(Databases databases, QueueSignals signals, Admission admission)
        : IRequestHandler<Command, Result<Report>>
    {
        private const int MaxJobs = 200;

        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
            var all = 0;
            for (var ended = MaxJobs; ended == MaxJobs; )
            {
                var expired = (
                    await connection.QueryAsync<(
                        Guid ProjectId,
                        Guid Id,
                        long QueueId,
                        string? Lane,
                        bool HasChildren
                    )>(Sql.Expire.With(new { Limit = MaxJobs }, cancellationToken))
                ).AsList();
                expired.ForEach(job => admission.Left(job.ProjectId, job.Id, job.QueueId, job.Lane, job.HasChildren));
                ended = expired.Count;
                all += ended;
            }

            if (all > 0)
            {
                signals.Raise(); // what continues them is due
            }

            return new Report(all);
        }
    }

    private static class Sql
    {
        // engine-wide: what is too late is so in every project. What began in time and failed is tried again all the same.
        public const string Expire = $"""
            WITH late AS MATERIALIZED (
                SELECT project_id, id
                FROM jobs
                WHERE start_before < now() AND state < 2 AND attempt = 0
                ORDER BY project_id, id
                LIMIT @Limit
                FOR UPDATE SKIP LOCKED
            ),
            gone AS (
                DELETE FROM jobs j
                USING late l
                WHERE j.project_id = l.project_id AND j.id = l.id AND j.state < 2
                RETURNING {EndedJobs.Columns}, 3::smallint AS outcome, 'start_before'::text AS reason, NULL::json AS result,
                    NULL::json AS error
            ),
            {EndedJobs.Kept},
            cut AS (
                DELETE FROM job_edges e USING gone g WHERE e.project_id = g.project_id AND e.child_id = g.id
            )
            SELECT project_id, id, queue_id, lane, has_children FROM gone
            """;
    }
}
