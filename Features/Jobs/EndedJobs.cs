namespace Bellhop.Features.Jobs;

/// <summary>What the end of a job writes, whoever ends it: parts of the statements that delete its row.</summary>
internal static class EndedJobs
{
    /// <summary>What the CTE <c>gone</c> returns of the table <c>jobs j</c>; a statement adds outcome, reason, result and error.</summary>
    public const string Columns = """
        j.project_id, j.id, j.queue_id, j.kind, j.priority, j.claim_no, j.attempt, j.max_attempts, j.lost, j.run_at, j.claimed_at,
                    j.worker_id, j.traceparent, j.lane, j.tags, j.unique_key, j.retry, j.continuation, j.has_children, j.args
        """;

    /// <summary>The CTEs that keep what is gone in the history, free its key, and enqueue what continues it.</summary>
    public const string Kept = """
        kept AS (
                INSERT INTO job_history (
                    project_id, id, queue_id, kind, outcome, reason, priority, claim_no, attempt, max_attempts, lost, run_at, claimed_at,
                    worker_id, traceparent, lane, tags, unique_key, retry, continuation, has_children, args, result, error
                )
                SELECT
                    project_id, id, queue_id, kind, outcome, reason, priority, claim_no, attempt, max_attempts, lost, run_at, claimed_at,
                    worker_id, traceparent, lane, tags, unique_key, retry, continuation, has_children, args, result, error
                FROM gone
            ),
            freed AS (
                DELETE FROM job_keys k
                USING gone g
                WHERE g.unique_key IS NOT NULL AND k.project_id = g.project_id AND k.key = g.unique_key ->> 'key'
                    AND k.job_id = g.id AND k.until < 2
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
