using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Puts jobs before others, inside the transaction that enqueues them.</summary>
/// <remarks>
/// A parent is locked before it is looked at, in the order of every end, so that it ends either before, and is judged here, or after,
/// and is settled by its end.
/// </remarks>
internal static class JobParents
{
    /// <summary>
    /// Of each job that is there, on a queue that the caller reaches: how it ended, or null while it is unfinished; those stay so until
    /// the transaction ends.
    /// </summary>
    /// <param name="blocked">Locked as well, in the same order: of two that ask for each other's one waits for the other.</param>
    public static async Task<Dictionary<Guid, short?>> LockAsync(
        NpgsqlConnection connection,
        Caller caller,
        IReadOnlyCollection<Guid> ids,
        IReadOnlyCollection<Guid> blocked,
        CancellationToken cancellationToken
    )
    {
        var found = new Dictionary<Guid, short?>();
        // what was over and is retried in between is found by the second look
        for (var look = 0; look < 2 && Missing().Length > 0; look++)
        {
            var unfinished = await connection.QueryAsync<Guid>(
                Sql.Lock.With(
                    new
                    {
                        caller.ProjectId,
                        caller.ReachQueues,
                        Ids = look == 0 ? [.. ids.Union(blocked)] : Missing(),
                    },
                    cancellationToken
                )
            );
            foreach (var id in unfinished)
            {
                found[id] = null;
            }

            // a statement of its own: what ended while the first one waited is seen by it
            if (Missing() is { Length: > 0 } missing)
            {
                var over = await connection.QueryAsync<(Guid Id, short Outcome)>(
                    Sql.FindEnded.With(
                        new
                        {
                            caller.ProjectId,
                            caller.ReachQueues,
                            Ids = missing,
                        },
                        cancellationToken
                    )
                );
                foreach (var (id, outcome) in over)
                {
                    found[id] = outcome;
                }
            }
        }

        return found;

        Guid[] Missing() => [.. ids.Where(id => !found.ContainsKey(id))];
    }

    /// <summary>The held ones among these jobs, on queues that the caller reaches, which stay held until the transaction ends.</summary>
    public static async Task<HashSet<Guid>> LockHeldAsync(
        NpgsqlConnection connection,
        Caller caller,
        IReadOnlyCollection<Guid> ids,
        CancellationToken cancellationToken
    ) =>
        ids.Count == 0
            ? []
            :
            [
                .. await connection.QueryAsync<Guid>(
                    Sql.LockHeld.With(
                        new
                        {
                            caller.ProjectId,
                            caller.ReachQueues,
                            Ids = ids.ToArray(),
                        },
                        cancellationToken
                    )
                ),
            ];

    /// <param name="edges">Both ends are there, and a parent is broken where it has ended as its child does not need it.</param>
    public static Task AddAsync(
        NpgsqlConnection connection,
        Guid projectId,
        IReadOnlyCollection<(Guid Parent, Guid Child, bool IsBroken)> edges,
        CancellationToken cancellationToken
    ) =>
        connection.ExecuteAsync(
            Sql.Add.With(
                new
                {
                    ProjectId = projectId,
                    Parents = edges.Select(edge => edge.Parent).ToArray(),
                    Children = edges.Select(edge => edge.Child).ToArray(),
                    Broken = edges.Select(edge => edge.IsBroken).ToArray(),
                },
                cancellationToken
            )
        );

    private static class Sql
    {
        public const string Lock = """
            SELECT j.id
            FROM jobs j
            WHERE j.project_id = @ProjectId AND j.id = ANY (@Ids::uuid[]) AND (
                @ReachQueues::text[] IS NULL OR EXISTS (
                    SELECT FROM queues q WHERE q.project_id = @ProjectId AND q.queue_id = j.queue_id AND q.name = ANY (@ReachQueues)
                )
            )
            ORDER BY j.project_id, j.id
            FOR UPDATE
            """;

        // a retry, which takes the row away, waits
        public const string FindEnded = """
            SELECT h.id, h.outcome
            FROM unnest(@Ids::uuid[]) AS p(id)
            JOIN job_history h ON h.project_id = @ProjectId AND h.id = p.id AND h.finished_at >= id_time(p.id) - interval '1 minute'
            WHERE @ReachQueues::text[] IS NULL OR EXISTS (
                SELECT FROM queues q WHERE q.project_id = @ProjectId AND q.queue_id = h.queue_id AND q.name = ANY (@ReachQueues)
            )
            ORDER BY h.id
            FOR KEY SHARE OF h
            """;

        public const string LockHeld = """
            SELECT j.id
            FROM jobs j
            WHERE j.project_id = @ProjectId AND j.id = ANY (@Ids::uuid[]) AND j.state = 0 AND j.wait_reason = 3 AND (
                @ReachQueues::text[] IS NULL OR EXISTS (
                    SELECT FROM queues q WHERE q.project_id = @ProjectId AND q.queue_id = j.queue_id AND q.name = ANY (@ReachQueues)
                )
            )
            ORDER BY j.project_id, j.id
            FOR UPDATE
            """;

        // the history remembers it too: a parent that is retried has children, and its next end reaches them
        public const string Add = """
            WITH edges AS (
                INSERT INTO job_edges (project_id, parent_id, child_id, is_broken)
                SELECT @ProjectId, e.parent_id, e.child_id, e.is_broken
                FROM unnest(@Parents::uuid[], @Children::uuid[], @Broken::boolean[]) AS e(parent_id, child_id, is_broken)
                ON CONFLICT DO NOTHING
                RETURNING parent_id, is_broken
            ),
            ended AS (
                UPDATE job_history h
                SET has_children = true
                FROM (SELECT DISTINCT parent_id FROM edges WHERE is_broken) AS p
                WHERE h.project_id = @ProjectId AND h.id = p.parent_id AND h.finished_at >= id_time(p.parent_id) - interval '1 minute'
                    AND NOT h.has_children
            )
            UPDATE jobs j
            SET has_children = true
            FROM (SELECT DISTINCT parent_id FROM edges) AS p
            WHERE j.project_id = @ProjectId AND j.id = p.parent_id AND NOT j.has_children
            """;
    }
}
