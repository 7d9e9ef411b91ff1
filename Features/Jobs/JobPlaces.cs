using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>A job and everything that may be in its way, as of one moment.</summary>
internal sealed record JobPlace
{
    public string Queue { get; init; } = "";

    public string Kind { get; init; } = "";

    public bool ServedHere { get; init; }

    /// <summary>Whoever had it last executes no jobs of its kind.</summary>
    public bool IsUnknown { get; init; }

    public short? State { get; init; }

    public short? Outcome { get; init; }

    public short WaitReason { get; init; }

    public short Attempt { get; init; }

    public DateTime RunAt { get; init; }

    /// <summary>Due later, by the database's clock.</summary>
    public bool IsScheduled { get; init; }

    public DateTime? ClaimedAt { get; init; }

    public DateTime? LeaseUntil { get; init; }

    /// <summary>The lease is over, by the database's clock.</summary>
    public bool IsSilent { get; init; }

    public DateTime? CancelRequestedAt { get; init; }

    public DateTime? CancelBy { get; init; }

    public DateTime? FinishedAt { get; init; }

    public Guid? WorkerId { get; init; }

    public string? Lane { get; init; }

    public short? LaneLimit { get; init; }

    public int LaneHeld { get; init; }

    public DateTime? PausedAt { get; init; }

    public int? MaxRunning { get; init; }

    public int RunningCount { get; init; }

    /// <summary>When the queue's rate lets one start.</summary>
    public DateTime? RateStartsAt { get; init; }

    /// <summary>Somebody who claims from the queue was seen lately.</summary>
    public bool HasWorker { get; init; }

    public Guid? ParentId { get; init; }

    public bool ParentIsBroken { get; init; }

    /// <summary>Due jobs of its queue that a claim takes sooner.</summary>
    public int Before { get; init; }
}

/// <summary>Finds where a job stands. Whatever is counted is counted to 10,001, so a backlog costs no more than that.</summary>
internal sealed class JobPlaces(NpgsqlDataSource database, Caller caller)
{
    public const int MaxCount = 10_001;

    /// <summary>Null: there is no such job in the project.</summary>
    public async Task<JobPlace?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<JobPlace>(
            Sql.Find.With(new { caller.ProjectId, Id = id }, cancellationToken)
        );
    }

    private static class Sql
    {
        // in one statement, so that a job which ends meanwhile is seen in one of its tables
        public const string Find = """
            SELECT q.name AS queue, j.kind, q.served_by = 'service' AS served_here, j.state, NULL::smallint AS outcome, j.wait_reason,
                j.attempt, j.run_at, j.run_at > now() AS is_scheduled, j.claimed_at, j.lease_until,
                COALESCE(j.lease_until < now(), false) AS is_silent, j.cancel_requested_at, j.cancel_by,
                NULL::timestamptz AS finished_at, j.worker_id, j.lane, q.lane_limit, q.paused_at, q.max_running,
                r.next_at - make_interval(secs => (q.rate_burst - 1)::float8 * q.rate_seconds / q.rate_count) AS rate_starts_at,
                lane.held AS lane_held, running.count AS running_count, before.count AS before, parent.parent_id,
                COALESCE(parent.is_broken, false) AS parent_is_broken,
                EXISTS (
                    SELECT FROM workers w
                    WHERE w.project_id = j.project_id AND q.name = ANY (w.queues) AND w.directive = 'run'
                        AND w.last_seen_at > now() - interval '2 minutes'
                ) AS has_worker,
                COALESCE((
                    SELECT a.outcome = 'released' AND a.error ->> 'code' = 'unknown_kind'
                    FROM job_attempts a
                    WHERE a.project_id = j.project_id AND a.job_id = j.id
                    ORDER BY a.at DESC
                    LIMIT 1
                ), false) AS is_unknown
            FROM jobs j
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            LEFT JOIN queue_rates r ON r.project_id = j.project_id AND r.queue_id = j.queue_id AND q.rate_count IS NOT NULL
            LEFT JOIN LATERAL (
                SELECT parent_id, is_broken
                FROM job_edges
                WHERE project_id = j.project_id AND child_id = j.id
                ORDER BY is_broken DESC, parent_id
                LIMIT 1
            ) AS parent ON true
            CROSS JOIN LATERAL (
                SELECT count(*)::integer AS held
                FROM (
                    SELECT FROM jobs o WHERE o.queue_id = j.queue_id AND o.lane = j.lane AND o.state > 0 LIMIT 10001
                ) AS counted
            ) AS lane
            CROSS JOIN LATERAL (
                SELECT count(*)::integer AS count
                FROM (SELECT FROM jobs o WHERE o.queue_id = j.queue_id AND o.state = 2 LIMIT 10001) AS counted
            ) AS running
            CROSS JOIN LATERAL (
                SELECT count(*)::integer AS count
                FROM (
                    SELECT
                    FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                    CROSS JOIN LATERAL (
                        SELECT
                        FROM jobs o
                        WHERE o.queue_id = j.queue_id AND o.state = 1 AND o.priority = p.priority AND o.run_at <= now()
                            AND (p.priority < j.priority OR (o.run_at, o.seq) < (j.run_at, j.seq))
                        LIMIT 10001
                    ) AS one
                    WHERE j.state = 1 AND p.priority <= j.priority
                    LIMIT 10001
                ) AS counted
            ) AS before
            WHERE j.project_id = @ProjectId AND j.id = @Id
            UNION ALL
            SELECT q.name, h.kind, q.served_by = 'service', NULL, h.outcome, 0::smallint, h.attempt, h.run_at, false, h.claimed_at, NULL,
                false, NULL, NULL, h.finished_at, h.worker_id, h.lane, NULL, NULL, NULL, NULL, 0, 0, 0, NULL, false, false, false
            FROM job_history h
            JOIN queues q ON q.project_id = h.project_id AND q.queue_id = h.queue_id
            WHERE h.project_id = @ProjectId AND h.id = @Id AND h.finished_at >= id_time(@Id) - interval '1 minute'
            """;
    }
}
