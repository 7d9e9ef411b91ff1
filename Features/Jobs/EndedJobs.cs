namespace Bellhop.Features.Jobs;

/// <summary>What the end of a job writes, whoever ends it: parts of the statements that delete its row.</summary>
internal static class EndedJobs
{
    /// <summary>What the CTE <c>gone</c> returns of the table <c>jobs j</c>; a statement adds outcome, reason, result and error.</summary>
    public const string Columns = """
        j.project_id, j.id, j.queue_id, j.kind, j.priority, j.claim_no, j.attempt, j.max_attempts, j.lost, j.run_at, j.claimed_at,
                    j.worker_id, j.claim_key, j.traceparent, j.lane, j.tags, j.unique_key, j.retry, j.continuation, j.has_children, j.args
        """;

    /// <summary>The CTEs that keep what is gone in the history, free its key, and enqueue what continues it.</summary>
    /// <remarks>Keys are locked in the order in which they are taken, so that an end and an enqueue cannot deadlock.</remarks>
    public const string Kept = """
        kept AS (
                INSERT INTO job_history (
                    project_id, id, queue_id, kind, outcome, reason, priority, claim_no, attempt, max_attempts, lost, run_at, claimed_at,
                    worker_id, claim_key, traceparent, lane, tags, unique_key, retry, continuation, has_children, args, result, error
                )
                SELECT
                    project_id, id, queue_id, kind, outcome, reason, priority, claim_no, attempt, max_attempts, lost, run_at, claimed_at,
                    worker_id, claim_key, traceparent, lane, tags, unique_key, retry, continuation, has_children, args, result, error
                FROM gone
            ),
            let_go AS MATERIALIZED (
                SELECT h.project_id, h.key
                FROM (
                    SELECT project_id, id, unique_key ->> 'key' AS key
                    FROM gone
                    WHERE unique_key IS NOT NULL
                    ORDER BY project_id, unique_key ->> 'key'
                ) AS g
                CROSS JOIN LATERAL (
                    SELECT k.project_id, k.key
                    FROM job_keys k
                    WHERE k.project_id = g.project_id AND k.key = g.key AND k.job_id = g.id AND k.until < 2
                    LIMIT 1
                    FOR UPDATE
                ) AS h
            ),
            freed AS (
                DELETE FROM job_keys k
                USING let_go l
                WHERE (SELECT EXISTS (SELECT FROM let_go)) AND k.project_id = l.project_id AND k.key = l.key
            ),
            following AS (
                INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, traceparent, args)
                SELECT g.project_id, new_id(), q.queue_id, now(), 1, q.max_attempts, g.continuation ->> 'kind', g.traceparent,
                    (g.continuation ->> 'args')::json
                FROM gone g
                JOIN queues q ON q.project_id = g.project_id AND q.name = g.continuation ->> 'queue' AND q.deleted_at IS NULL
                WHERE g.continuation IS NOT NULL
            )
        """;
}
