namespace Bellhop.Features.Jobs;

/// <summary>The queues that jobs are about to be put on, as they are until the transaction ends: a part of the statements that do it.</summary>
internal static class OpenQueues
{
    /// <summary>CTEs that read <c>@ProjectIds</c> and <c>@Queues</c>; <c>open</c> is what other parts join.</summary>
    /// <remarks>
    /// A queue that may be deleted is held until the commit: its deletion, and every change of it, sees the job, or the job sees what
    /// has become of it. All that is read of such a queue is read of the row that is held: a look beside it would show the queue as it
    /// was before a change that the lock waited for. Those that every project has stay, and cost no lock.
    /// </remarks>
    public const string Ctes = """
        deletable AS MATERIALIZED (
                SELECT project_id, queue_id, name, served_by, lane_ordered, lane_limit, max_attempts, lease_seconds, paused_at, max_running,
                    rate_count, max_run_seconds
                FROM queues
                WHERE project_id = ANY (@ProjectIds::uuid[]) AND name = ANY (@Queues::text[])
                    AND name NOT IN ('default', 'automations', 'webhooks') AND deleted_at IS NULL
                    AND NOT @Queues::text[] <@ '{default,automations,webhooks}'::text[] -- no look at all, as a rule
                ORDER BY project_id, queue_id
                FOR KEY SHARE
            ),
            open AS MATERIALIZED (
                SELECT project_id, queue_id, name, served_by, lane_ordered, lane_limit, max_attempts, lease_seconds, paused_at, max_running,
                    rate_count, max_run_seconds
                FROM queues
                WHERE project_id = ANY (@ProjectIds::uuid[]) AND name = ANY (@Queues::text[])
                    AND name IN ('default', 'automations', 'webhooks') AND deleted_at IS NULL
                    AND @Queues::text[] && '{default,automations,webhooks}'::text[]
                UNION ALL
                TABLE deletable
            )
        """;
}
