using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Tells how deep a queue is, and what became of its jobs minute by minute.</summary>
/// <remarks>
/// Nothing is counted beyond 10,000, so that it costs the same however many jobs there are. The minutes are at most some ten
/// seconds old; a process that is killed takes the counts of its last five seconds with it.
/// </remarks>
public static class GetQueueStats
{
    private const int DefaultMinutes = 60;

    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/queues/{id}/stats", Get)
                .RequirePermission(Permissions.QueuesRead)
                .WithQuery("minutes")
                .WithName(nameof(GetQueueStats))
                .WithTags("Queues")
                .Produces<QueueStats>();

        /// <summary>Get the figures of a queue</summary>
        /// <param name="minutes">How many minutes back, this one counted.</param>
        public static async Task<IResult> Get(
            string id,
            IMediator mediator,
            CancellationToken cancellationToken,
            [Range(1, QueueStats.MaxMinutes)] int minutes = DefaultMinutes
        )
        {
            var result = await mediator.Send(new Query(NameOrId.Parse(id), minutes), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(NameOrId Queue, int Minutes = DefaultMinutes) : IRequest<Result<QueueStats>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller) : IRequestHandler<Query, Result<QueueStats>>
    {
        public async Task<Result<QueueStats>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachQueues,
                query.Queue.Id,
                query.Queue.Name,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var depth = await connection.QuerySingleOrDefaultAsync<QueueDepth>(
                Sql.Now.With(arguments, cancellationToken)
            );
            if (depth is null)
            {
                return Problems.NotFound.Because($"There is no queue {query.Queue}.");
            }

            var minutes = await connection.QueryAsync<QueueMinute>(
                Sql.ByMinute.With(
                    new
                    {
                        caller.ProjectId,
                        depth.QueueId,
                        Back = query.Minutes - 1,
                    },
                    cancellationToken
                )
            );
            return depth.ToStats(minutes.AsList());
        }
    }

    private static class Sql
    {
        // Each count reads one index from its beginning, and no more rows of it than are told: in the index's order, or the planner
        // takes the limit for a reason to read the table. The minutes of a day are some thousands of rows at most.
        public const string Now = """
            SELECT q.queue_id, q.name, q.paused_at, ready.jobs AS ready, scheduled.jobs AS scheduled, lane.jobs AS waiting_lane,
                other.jobs AS waiting_jobs, held.jobs AS waiting_held, running.jobs AS running,
                extract(epoch FROM now() - oldest.run_at)::float8 AS oldest_ready_age_seconds, failed.jobs AS failed
            FROM queues q
            CROSS JOIN LATERAL (
                SELECT count(*) AS jobs
                FROM (
                    SELECT
                    FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                    CROSS JOIN LATERAL (
                        SELECT
                        FROM jobs j
                        WHERE j.state = 1 AND j.queue_id = q.queue_id AND j.priority = p.priority AND j.run_at <= now()
                        ORDER BY j.run_at
                        LIMIT 10001
                    ) AS due
                    LIMIT 10001
                ) AS counted
            ) AS ready
            CROSS JOIN LATERAL (
                SELECT count(*) AS jobs
                FROM (
                    SELECT
                    FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                    CROSS JOIN LATERAL (
                        SELECT
                        FROM jobs j
                        WHERE j.state = 1 AND j.queue_id = q.queue_id AND j.priority = p.priority AND j.run_at > now()
                        ORDER BY j.run_at
                        LIMIT 10001
                    ) AS later
                    LIMIT 10001
                ) AS counted
            ) AS scheduled
            CROSS JOIN LATERAL (
                SELECT count(*) AS jobs
                FROM (
                    SELECT
                    FROM jobs j
                    WHERE j.queue_id = q.queue_id AND j.state = 0 AND j.wait_reason = 1
                    ORDER BY j.lane
                    LIMIT 10001
                ) AS counted
            ) AS lane
            CROSS JOIN LATERAL (
                SELECT count(*) AS jobs
                FROM (
                    SELECT
                    FROM jobs j
                    WHERE j.queue_id = q.queue_id AND j.state = 0 AND j.wait_reason > 1 AND j.wait_reason = 2
                    LIMIT 10001
                ) AS counted
            ) AS other
            CROSS JOIN LATERAL (
                SELECT count(*) AS jobs
                FROM (
                    SELECT
                    FROM jobs j
                    WHERE j.queue_id = q.queue_id AND j.state = 0 AND j.wait_reason > 1 AND j.wait_reason = 3
                    LIMIT 10001
                ) AS counted
            ) AS held
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
                    WHERE j.state = 1 AND j.queue_id = q.queue_id AND j.priority = p.priority AND j.run_at <= now()
                    ORDER BY j.run_at
                    LIMIT 1
                ) AS first
            ) AS oldest
            CROSS JOIN LATERAL (
                SELECT COALESCE(sum(m.failed), 0)::bigint AS jobs
                FROM queue_minutes m
                WHERE m.project_id = q.project_id AND m.queue_id = q.queue_id AND m.minute > now() - interval '24 hours'
            ) AS failed
            WHERE q.project_id = @ProjectId AND (q.id = @Id::uuid OR q.name = @Name::text) AND q.deleted_at IS NULL
                AND (@ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues))
            """;

        public const string ByMinute = """
            SELECT minute, sum(started)::bigint AS started, sum(succeeded)::bigint AS succeeded, sum(failed)::bigint AS failed,
                sum(retried)::bigint AS retried, sum(released)::bigint AS released, sum(lost)::bigint AS lost,
                sum(wait_seconds) / NULLIF(sum(started), 0) AS avg_wait_seconds,
                sum(run_seconds) / NULLIF(sum(succeeded + failed + retried), 0) AS avg_run_seconds
            FROM queue_minutes
            WHERE project_id = @ProjectId AND queue_id = @QueueId
                AND minute >= date_trunc('minute', now()) - make_interval(mins => @Back)
            GROUP BY minute
            ORDER BY minute DESC
            LIMIT 1440
            """;
    }
}
