using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Jobs of one queue that share a key.</summary>
internal readonly record struct Lane(Guid ProjectId, long QueueId, string Name);

/// <summary>What became of lanes that were looked at.</summary>
/// <param name="Count">How many of their jobs are ready now.</param>
/// <param name="Busy">Those that somebody else was looking at.</param>
internal sealed record AdmittedLanes(int Count, IReadOnlyList<Lane> Busy);

/// <summary>Lets as many jobs of a lane be ready or running as its queue says, or one after the other in the order they came.</summary>
/// <remarks>
/// The rows that are ready or running are the slots; there is no counter to leak. Only this raises their number, under a lock of the
/// lane, and with a look that is younger than the lock: a lane is never passed. An end only lowers it.
/// </remarks>
internal static class Lanes
{
    public static async Task<AdmittedLanes> AdmitAsync(
        NpgsqlConnection connection,
        IReadOnlyList<Lane> lanes,
        CancellationToken cancellationToken
    )
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new(Sql.Lock)
                {
                    Parameters =
                    {
                        Of("ProjectIds", NpgsqlDbType.Uuid, lanes.Select(lane => lane.ProjectId).ToArray()),
                        Of("QueueIds", NpgsqlDbType.Bigint, lanes.Select(lane => lane.QueueId).ToArray()),
                        Of("Lanes", NpgsqlDbType.Text, lanes.Select(lane => lane.Name).ToArray()),
                    },
                },
                new(Sql.Admit),
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var free = reader.GetFieldValue<long[]>(1).ToHashSet();
        await reader.NextResultAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new AdmittedLanes(reader.GetInt32(0), [.. lanes.Where((_, index) => !free.Contains(index + 1))]);
    }

    private static NpgsqlParameter Of(string name, NpgsqlDbType type, object values) =>
        new(name, NpgsqlDbType.Array | type) { Value = values };

    private static class Sql
    {
        // Two statements in one transaction: the second sees what was committed before the first had the locks, and is told by the first
        // which ones it has. Nobody waits for a lock, so nobody can deadlock.
        public const string Lock = """
            WITH locked AS MATERIALIZED (
                SELECT l.project_id, l.queue_id, l.lane, l.position
                FROM unnest(@ProjectIds::uuid[], @QueueIds::bigint[], @Lanes::text[])
                    WITH ORDINALITY AS l(project_id, queue_id, lane, position)
                WHERE pg_try_advisory_xact_lock(hashtextextended('bellhop lane ' || l.queue_id || '/' || l.lane, 0))
            )
            SELECT set_config('bellhop.lanes', COALESCE(json_agg(locked)::text, '[]'), true),
                COALESCE(array_agg(position), '{}') AS positions
            FROM locked
            """;

        // a retry comes back a second before it is due, so that it is in its place when it falls due
        public const string Admit = """
            WITH room AS MATERIALIZED (
                SELECT l.project_id, l.queue_id, l.lane, q.lane_ordered,
                    CASE WHEN q.lane_ordered THEN 1 ELSE COALESCE(q.lane_limit, 1000) END - (
                        SELECT count(*)
                        FROM jobs j
                        WHERE j.project_id = l.project_id AND j.queue_id = l.queue_id AND j.lane = l.lane AND j.state > 0
                    ) AS free
                FROM json_to_recordset(current_setting('bellhop.lanes')::json) AS l(project_id uuid, queue_id bigint, lane text)
                JOIN queues q ON q.project_id = l.project_id AND q.queue_id = l.queue_id
            ),
            next AS MATERIALIZED (
                SELECT due.project_id, due.id
                FROM room r
                CROSS JOIN LATERAL (
                    SELECT j.project_id, j.id
                    FROM jobs j
                    WHERE j.project_id = r.project_id AND j.queue_id = r.queue_id AND j.lane = r.lane AND j.state = 0
                        AND j.wait_reason = 1 AND j.run_at <= now() + interval '1 second'
                    ORDER BY j.priority, j.run_at, j.seq
                    LIMIT GREATEST(r.free, 0)
                ) AS due
                WHERE NOT r.lane_ordered
                UNION ALL
                SELECT head.project_id, head.id
                FROM room r
                CROSS JOIN LATERAL (
                    SELECT j.project_id, j.id, j.run_at
                    FROM jobs j
                    WHERE j.project_id = r.project_id AND j.queue_id = r.queue_id AND j.lane = r.lane AND j.state = 0
                        AND j.wait_reason = 1
                    ORDER BY j.seq
                    LIMIT GREATEST(r.free, 0)
                ) AS head
                WHERE r.lane_ordered AND head.run_at <= now() + interval '1 second'
            ),
            admitted AS (
                UPDATE jobs j
                SET state = 1, wait_reason = 0
                FROM next n
                WHERE j.project_id = n.project_id AND j.id = n.id AND j.state = 0 AND j.wait_reason = 1
                RETURNING j.id
            )
            SELECT count(*)::integer FROM admitted
            """;
    }
}
