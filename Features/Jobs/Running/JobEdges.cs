using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Running;

/// <summary>What the ends of jobs made of those that waited for them.</summary>
/// <param name="Lanes">Lanes of jobs that wait for nothing else now.</param>
/// <param name="Canceled">Jobs that can no longer have what they waited for: others may wait for them in turn.</param>
internal sealed record SettledEdges(
    bool HasReady,
    IReadOnlyList<Lane> Lanes,
    IReadOnlyList<(Guid ProjectId, Guid Id)> Canceled
);

/// <summary>Jobs that wait for the ends of others, one row a pair.</summary>
/// <remarks>
/// An end is judged by the history, after it was committed, by whoever is first; to do it twice changes nothing. There is no counter
/// on the job that waits: ten thousand ends do not write one row ten thousand times, and no end can be counted twice.
/// </remarks>
internal static class JobEdges
{
    public static async Task<SettledEdges> SettleAsync(
        NpgsqlConnection connection,
        IReadOnlyList<(Guid ProjectId, Guid Id)> ended,
        CancellationToken cancellationToken
    )
    {
        var children = await ReadKeysAsync(connection, Sql.Judge, ended, cancellationToken);
        return children.Count == 0
            ? new SettledEdges(false, [], [])
            : await FreeAsync(connection, children, cancellationToken);
    }

    /// <summary>Frees those that wait for nothing any more, and cancels those that wait in vain.</summary>
    public static async Task<SettledEdges> FreeAsync(
        NpgsqlConnection connection,
        IReadOnlyList<(Guid ProjectId, Guid Id)> children,
        CancellationToken cancellationToken
    )
    {
        // statements that begin after the edges are gone for all to see: of two last parents one at least finds none left
        var hasReady = false;
        var lanes = new List<Lane>();
        await using (var free = Command(connection, Sql.Free, children))
        await using (var reader = await free.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                hasReady |= reader.GetInt16(0) == 1;
                if (!reader.IsDBNull(3))
                {
                    lanes.Add(new Lane(reader.GetGuid(1), reader.GetInt64(2), reader.GetString(3)));
                }
            }
        }

        return new SettledEdges(
            hasReady,
            lanes,
            await ReadKeysAsync(connection, Sql.Cancel, children, cancellationToken)
        );
    }

    /// <summary>
    /// The parents are no more, neither among the unfinished nor in the history, and cannot come back: who needed their end alone goes
    /// on, the others are canceled, also those that would have waited for a retry.
    /// </summary>
    public static async Task<SettledEdges> LoseAsync(
        NpgsqlConnection connection,
        IReadOnlyList<(Guid ProjectId, Guid ParentId, Guid ChildId)> lost,
        CancellationToken cancellationToken
    )
    {
        await using (var forget = Command(connection, Sql.Forget, lost))
        {
            await forget.ExecuteNonQueryAsync(cancellationToken);
        }

        await using var cancel = Command(connection, Sql.CancelLost, lost);
        var canceled = await ReadKeysAsync(cancel, cancellationToken);
        var children = lost.Select(edge => (edge.ProjectId, edge.ChildId)).Distinct().ToArray();
        var freed = await FreeAsync(connection, children, cancellationToken);
        return freed with { Canceled = [.. canceled, .. freed.Canceled] };
    }

    private static async Task<IReadOnlyList<(Guid ProjectId, Guid Id)>> ReadKeysAsync(
        NpgsqlConnection connection,
        string sql,
        IReadOnlyList<(Guid ProjectId, Guid Id)> keys,
        CancellationToken cancellationToken
    )
    {
        await using var command = Command(connection, sql, keys);
        return await ReadKeysAsync(command, cancellationToken);
    }

    private static async Task<IReadOnlyList<(Guid ProjectId, Guid Id)>> ReadKeysAsync(
        NpgsqlCommand command,
        CancellationToken cancellationToken
    )
    {
        var found = new List<(Guid, Guid)>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            found.Add((reader.GetGuid(0), reader.GetGuid(1)));
        }

        return found;
    }

    private static NpgsqlCommand Command(
        NpgsqlConnection connection,
        string sql,
        IReadOnlyList<(Guid ProjectId, Guid Id)> keys
    ) =>
        new(sql, connection)
        {
            Parameters =
            {
                new("ProjectIds", NpgsqlDbType.Array | NpgsqlDbType.Uuid)
                {
                    Value = keys.Select(key => key.ProjectId).ToArray(),
                },
                new("Ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid) { Value = keys.Select(key => key.Id).ToArray() },
            },
        };

    private static NpgsqlCommand Command(
        NpgsqlConnection connection,
        string sql,
        IReadOnlyList<(Guid ProjectId, Guid ParentId, Guid ChildId)> edges
    )
    {
        var command = Command(connection, sql, [.. edges.Select(edge => (edge.ProjectId, edge.ChildId))]);
        command.Parameters.Add(
            new("ParentIds", NpgsqlDbType.Array | NpgsqlDbType.Uuid)
            {
                Value = edges.Select(edge => edge.ParentId).ToArray(),
            }
        );
        return command;
    }

    private static class Sql
    {
        // who was held by an operator, and then had jobs put before it, needs their success like everybody who says nothing else; the
        // history row is held meanwhile: a retry, which takes it away, waits or is seen
        public const string Judge = """
            WITH ended AS MATERIALIZED (
                SELECT h.project_id, h.id, h.outcome
                FROM unnest(@ProjectIds::uuid[], @Ids::uuid[]) AS p(project_id, id)
                JOIN job_history h ON h.project_id = p.project_id AND h.id = p.id
                    AND h.finished_at >= id_time(p.id) - interval '1 minute'
                FOR KEY SHARE OF h
            ),
            judged AS MATERIALIZED (
                SELECT e.project_id, e.parent_id, e.child_id,
                    c.id IS NULL OR CASE c.needs WHEN 1 THEN true WHEN 2 THEN p.outcome <> 0 ELSE p.outcome = 0 END AS is_met
                FROM ended p
                JOIN job_edges e ON e.project_id = p.project_id AND e.parent_id = p.id
                LEFT JOIN jobs c ON c.project_id = e.project_id AND c.id = e.child_id
                ORDER BY e.project_id, e.parent_id, e.child_id
                FOR UPDATE OF e
            ),
            met AS (
                DELETE FROM job_edges e
                USING judged g
                WHERE g.is_met AND e.project_id = g.project_id AND e.parent_id = g.parent_id AND e.child_id = g.child_id
            ),
            broken AS (
                UPDATE job_edges e
                SET is_broken = true
                FROM judged g
                WHERE NOT g.is_met AND e.project_id = g.project_id AND e.parent_id = g.parent_id AND e.child_id = g.child_id
            )
            SELECT DISTINCT project_id, child_id FROM judged
            """;

        public const string Free = """
            WITH free AS MATERIALIZED (
                SELECT j.project_id, j.id,
                    CASE WHEN j.lane IS NOT NULL AND (q.lane_ordered OR q.lane_limit IS NOT NULL) THEN j.lane END AS lane
                FROM unnest(@ProjectIds::uuid[], @Ids::uuid[]) AS c(project_id, id)
                JOIN jobs j ON j.project_id = c.project_id AND j.id = c.id
                JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
                WHERE j.state = 0 AND j.wait_reason = 2
                    AND NOT EXISTS (SELECT FROM job_edges e WHERE e.project_id = j.project_id AND e.child_id = j.id)
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j
            )
            UPDATE jobs j
            SET state = CASE WHEN f.lane IS NULL THEN 1 ELSE 0 END, wait_reason = CASE WHEN f.lane IS NULL THEN 0 ELSE 1 END,
                run_at = GREATEST(j.run_at, now())
            FROM free f
            WHERE j.project_id = f.project_id AND j.id = f.id AND j.state = 0 AND j.wait_reason = 2
            RETURNING j.state, j.project_id, j.queue_id, f.lane
            """;

        public const string Cancel = $"""
            WITH broken AS MATERIALIZED (
                SELECT j.project_id, j.id
                FROM unnest(@ProjectIds::uuid[], @Ids::uuid[]) AS c(project_id, id)
                JOIN jobs j ON j.project_id = c.project_id AND j.id = c.id
                WHERE j.state = 0 AND j.wait_reason IN (2, 3) AND j.is_patient IS NOT TRUE AND EXISTS (
                    SELECT FROM job_edges e WHERE e.project_id = j.project_id AND e.child_id = j.id AND e.is_broken
                )
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j
            ),
            gone AS (
                DELETE FROM jobs j
                USING broken b
                WHERE j.project_id = b.project_id AND j.id = b.id AND j.state = 0
                RETURNING {EndedJobs.Columns}, 2::smallint AS outcome, 'parent_failed'::text AS reason, NULL::json AS result,
                    NULL::json AS error
            ),
            {EndedJobs.Kept},
            cut AS (
                DELETE FROM job_edges e USING gone g WHERE e.project_id = g.project_id AND e.child_id = g.id
            )
            SELECT project_id, id FROM gone
            """;

        public const string Forget = """
            WITH met AS MATERIALIZED (
                SELECT e.project_id, e.parent_id, e.child_id
                FROM unnest(@ProjectIds::uuid[], @ParentIds::uuid[], @Ids::uuid[]) AS l(project_id, parent_id, child_id)
                JOIN job_edges e ON e.project_id = l.project_id AND e.parent_id = l.parent_id AND e.child_id = l.child_id
                LEFT JOIN jobs c ON c.project_id = e.project_id AND c.id = e.child_id
                WHERE c.id IS NULL OR c.needs = 1
                ORDER BY e.project_id, e.parent_id, e.child_id
                FOR UPDATE OF e
            )
            DELETE FROM job_edges e
            USING met m
            WHERE e.project_id = m.project_id AND e.parent_id = m.parent_id AND e.child_id = m.child_id
            """;

        public const string CancelLost = $"""
            WITH stuck AS MATERIALIZED (
                SELECT j.project_id, j.id
                FROM unnest(@ProjectIds::uuid[], @ParentIds::uuid[], @Ids::uuid[]) AS l(project_id, parent_id, child_id)
                JOIN job_edges e ON e.project_id = l.project_id AND e.parent_id = l.parent_id AND e.child_id = l.child_id
                JOIN jobs j ON j.project_id = l.project_id AND j.id = l.child_id
                WHERE j.state = 0 AND j.wait_reason IN (2, 3) AND j.needs IS DISTINCT FROM 1
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j
            ),
            gone AS (
                DELETE FROM jobs j
                USING stuck s
                WHERE j.project_id = s.project_id AND j.id = s.id AND j.state = 0
                RETURNING {EndedJobs.Columns}, 2::smallint AS outcome, 'parent_lost'::text AS reason, NULL::json AS result,
                    NULL::json AS error
            ),
            {EndedJobs.Kept},
            cut AS (
                DELETE FROM job_edges e USING gone g WHERE e.project_id = g.project_id AND e.child_id = g.id
            )
            SELECT project_id, id FROM gone
            """;
    }
}
