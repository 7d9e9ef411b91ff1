using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Keeps the gauges of the queues: how deep they are and how long the oldest due job has waited.</summary>
/// <remarks>Each queue of a project is counted to 10,001, so a backlog costs no more than that; a scrape asks nobody.</remarks>
public static class MeasureQueues
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(5);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Queues);

    internal sealed class Handler(NpgsqlDataSource database) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var depths = (
                await connection.QueryAsync<(string Queue, long Ready, long Running, double Oldest)>(
                    Sql.Measure.With(null, cancellationToken)
                )
            ).AsList();
            foreach (var (queue, ready, running, oldest) in depths)
            {
                JobMetrics.Depth.WithLabels(queue, JobState.Ready).Set(ready);
                JobMetrics.Depth.WithLabels(queue, JobState.Running).Set(running);
                JobMetrics.OldestReady.WithLabels(queue).Set(oldest);
            }

            var measured = depths.Select(depth => depth.Queue).ToHashSet(StringComparer.Ordinal);
            foreach (
                var labels in JobMetrics.OldestReady.GetAllLabelValues().Where(values => !measured.Contains(values[0]))
            )
            {
                JobMetrics.OldestReady.RemoveLabelled(labels); // its queue was deleted
                JobMetrics.Depth.RemoveLabelled(labels[0], JobState.Ready);
                JobMetrics.Depth.RemoveLabelled(labels[0], JobState.Running);
            }

            return new Report(depths.Count);
        }
    }

    private static class Sql
    {
        // engine-wide: gauges name queues, never projects
        public const string Measure = """
            SELECT q.name, sum(ready.jobs)::bigint, sum(running.jobs)::bigint,
                COALESCE(GREATEST(max(extract(epoch FROM now() - oldest.run_at)), 0), 0)::float8
            FROM queues q
            CROSS JOIN LATERAL (
                SELECT count(*) AS jobs
                FROM (SELECT FROM jobs j WHERE j.queue_id = q.queue_id AND j.state = 1 LIMIT 10001) AS counted
            ) AS ready
            CROSS JOIN LATERAL (
                SELECT count(*) AS jobs
                FROM (SELECT FROM jobs j WHERE j.queue_id = q.queue_id AND j.state = 2 LIMIT 10001) AS counted
            ) AS running
            CROSS JOIN LATERAL (
                SELECT min(first.run_at) AS run_at
                FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                CROSS JOIN LATERAL (
                    SELECT j.run_at
                    FROM jobs j
                    WHERE j.state = 1 AND j.queue_id = q.queue_id AND j.priority = p.priority
                    ORDER BY j.run_at
                    LIMIT 1
                ) AS first
            ) AS oldest
            WHERE q.deleted_at IS NULL
            GROUP BY q.name
            """;
    }
}
