using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>What became of a job that was to go back.</summary>
/// <param name="IsBack">False: it stays over, since another job has its key now or its queue is no more.</param>
internal sealed record RetriedJob(Guid Id, bool IsBack, bool HasQueue)
{
    /// <summary>Of one that is not back.</summary>
    public ProblemCode Why => HasQueue ? JobProblems.KeyTaken : JobProblems.UnknownQueue;
}

/// <summary>Puts jobs of a project that did not succeed back on their queues, many in one statement.</summary>
/// <remarks>
/// They keep their ids, their claims' numbers and what continues them; attempts are counted anew, and the earlier ones stay on record.
/// The key of a unique job is taken again in the same statement: of two that want one key one goes back. Jobs that still wait for them
/// wait for their new end.
/// </remarks>
internal static class JobRetries
{
    /// <returns>Those that are over and did not succeed, and of each whether it is back.</returns>
    public static async Task<IReadOnlyList<RetriedJob>> RetryAsync(
        NpgsqlConnection connection,
        Guid projectId,
        Guid[] ids,
        CancellationToken cancellationToken
    ) =>
        [
            .. await connection.QueryAsync<RetriedJob>(
                Sql.Retry.With(new { ProjectId = projectId, Ids = ids }, cancellationToken)
            ),
        ];

    private static class Sql
    {
        // A queue is held until the commit, as by an enqueue: its deletion sees the job, or the job does not find it. Keys are taken
        // in one order, so that two such statements cannot deadlock; each key once, as ON CONFLICT wants it.
        public const string Retry = """
            WITH dead AS MATERIALIZED (
                SELECT h.id, h.queue_id, h.finished_at, h.unique_key, h.unique_key ->> 'key' AS key
                FROM unnest(@Ids::uuid[]) AS m(id)
                JOIN job_history h
                    ON h.project_id = @ProjectId AND h.id = m.id AND h.finished_at >= id_time(m.id) - interval '1 minute'
                WHERE h.outcome > 0
                ORDER BY h.id
                FOR UPDATE OF h
            ),
            open AS MATERIALIZED (
                SELECT queue_id, lane_ordered OR lane_limit IS NOT NULL AS has_lanes
                FROM queues
                WHERE project_id = @ProjectId AND queue_id IN (SELECT queue_id FROM dead) AND deleted_at IS NULL
                ORDER BY queue_id
                FOR KEY SHARE
            ),
            first_of_key AS (
                SELECT DISTINCT ON (key) key, id, unique_key
                FROM dead
                WHERE key IS NOT NULL AND queue_id IN (SELECT queue_id FROM open)
                ORDER BY key, id
            ),
            owned AS (
                INSERT INTO job_keys AS k (project_id, key, job_id, until, expires_at)
                SELECT @ProjectId, key, id,
                    CASE unique_key ->> 'until' WHEN 'start' THEN 0 WHEN 'seconds' THEN 2 ELSE 1 END,
                    CASE unique_key ->> 'until'
                        WHEN 'seconds' THEN now() + make_interval(secs => (unique_key ->> 'seconds')::float8)
                        ELSE 'infinity'
                    END
                FROM first_of_key
                ORDER BY key
                ON CONFLICT (project_id, key) DO UPDATE
                SET job_id = excluded.job_id, until = excluded.until, expires_at = excluded.expires_at
                WHERE k.expires_at <= now() OR k.job_id = excluded.job_id
                RETURNING job_id
            ),
            gone AS (
                DELETE FROM job_history h
                USING dead d
                WHERE h.project_id = @ProjectId AND h.id = d.id AND h.finished_at = d.finished_at
                    AND d.queue_id IN (SELECT queue_id FROM open) AND (d.key IS NULL OR d.id IN (SELECT job_id FROM owned))
                RETURNING h.project_id, h.id, h.queue_id, h.kind, h.priority, h.claim_no, h.max_attempts, h.claimed_at, h.traceparent,
                    h.lane, h.tags, h.unique_key, h.retry, h.continuation, h.has_children, h.args
            ),
            back AS (
                INSERT INTO jobs (
                    project_id, id, queue_id, run_at, state, wait_reason, kind, priority, claim_no, attempt, max_attempts, claimed_at,
                    traceparent, lane, tags, unique_key, retry, continuation, has_children, args
                )
                SELECT
                    project_id, id, queue_id, now(), CASE WHEN lane IS NOT NULL AND has_lanes THEN 0 ELSE 1 END,
                    CASE WHEN lane IS NOT NULL AND has_lanes THEN 1 ELSE 0 END, kind, priority, claim_no, 0, max_attempts, claimed_at,
                    traceparent, lane, tags, unique_key, retry, continuation, has_children, COALESCE(args, '{}')
                FROM gone
                JOIN open USING (queue_id)
                RETURNING id
            ),
            mended AS (
                UPDATE job_edges e
                SET is_broken = false
                FROM gone g
                WHERE g.has_children AND e.project_id = @ProjectId AND e.parent_id = g.id
            )
            SELECT d.id, b.id IS NOT NULL AS is_back, d.queue_id IN (SELECT queue_id FROM open) AS has_queue
            FROM dead d
            LEFT JOIN back b ON b.id = d.id
            """;
    }
}
