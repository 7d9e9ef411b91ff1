using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Jobs of one queue that share a key.</summary>
internal readonly record struct Lane(Guid ProjectId, long QueueId, string Name);

/// <summary>What became of lanes that were looked at.</summary>
/// <param name="Count">How many of their jobs are ready now.</param>
/// <param name="Busy">Those that somebody else was looking at.</param>
/// <param name="Coming">Those that have room, and whose next job is due soon.</param>
internal sealed record AdmittedLanes(int Count, IReadOnlyList<Lane> Busy, IReadOnlyList<ComingLane> Coming);

/// <summary>A lane that is to be looked at after that long.</summary>
internal readonly record struct ComingLane(Lane Lane, TimeSpan After);

/// <summary>Lanes where jobs wait, in order.</summary>
/// <param name="Last">Where to go on; null: there are no more.</param>
/// <param name="Due">Those that have room for a job that is due.</param>
/// <param name="Coming">Those that have room, and whose next job is due soon.</param>
internal sealed record FoundLanes(Lane? Last, IReadOnlyList<Lane> Due, IReadOnlyList<ComingLane> Coming);

/// <summary>Lets as many jobs of a lane be ready or running as its queue says, or one after the other in the order they came.</summary>
/// <remarks>
/// The rows that are ready or running are the slots; there is no counter to leak. Only this raises their number, under a lock of the
/// lane, and with a look that is younger than the lock: a lane is never passed. An end only lowers it. A job is let in a second before it
/// is due, so that it is in its place when it falls due; soon is what is due within a quarter of a minute, three looks of the duty.
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
        var coming = reader.GetFieldValue<long[]>(1).Zip(reader.GetFieldValue<double[]>(2));
        return new AdmittedLanes(
            reader.GetInt32(0),
            [.. lanes.Where((_, index) => !free.Contains(index + 1))],
            [.. coming.Select(next => new ComingLane(lanes[(int)next.First - 1], TimeSpan.FromSeconds(next.Second)))]
        );
    }

    /// <summary>Looks at so many lanes where jobs wait, full ones too.</summary>
    /// <param name="after">The first lane is the next to this one.</param>
    /// <param name="lastQueueId">It goes no further than this queue.</param>
    public static async Task<FoundLanes> FindAsync(
        NpgsqlConnection connection,
        Lane after,
        long lastQueueId,
        int limit,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(Sql.Find, connection)
        {
            Parameters =
            {
                new("QueueId", after.QueueId),
                new("Lane", after.Name),
                new("LastQueueId", lastQueueId),
                new("Limit", limit),
            },
        };
        var (due, coming) = (new List<Lane>(), new List<ComingLane>());
        var (seen, last) = (0, after);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        for (; await reader.ReadAsync(cancellationToken); seen++)
        {
            last = new Lane(reader.GetGuid(0), reader.GetInt64(1), reader.GetString(2));
            if (reader.IsDBNull(3))
            {
                continue; // it is full, or its next job is due later
            }

            var seconds = reader.GetDouble(3);
            if (seconds > 0)
            {
                coming.Add(new ComingLane(last, TimeSpan.FromSeconds(seconds)));
            }
            else
            {
                due.Add(last);
            }
        }

        return new FoundLanes(seen == limit ? last : null, due, coming);
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

        // One probe a priority, since one scan over all of them would read every urgent job of the lane that is due tomorrow. Where room
        // is left, all that is due was let in: what comes next is due later. Jobs are reached by their places: by their keys, a plan that
        // was made while few waited would read all who do.
        public const string Admit = """
            WITH room AS MATERIALIZED (
                SELECT l.project_id, l.queue_id, l.lane, l.position, q.lane_ordered,
                    CASE WHEN q.lane_ordered THEN 1 ELSE COALESCE(q.lane_limit, 1000) END - (
                        SELECT count(*)
                        FROM jobs j
                        WHERE j.project_id = l.project_id AND j.queue_id = l.queue_id AND j.lane = l.lane AND j.state > 0
                    ) AS free
                FROM json_to_recordset(current_setting('bellhop.lanes')::json)
                    AS l(project_id uuid, queue_id bigint, lane text, position bigint)
                JOIN queues q ON q.project_id = l.project_id AND q.queue_id = l.queue_id
            ),
            heads AS MATERIALIZED (
                SELECT r.position, head.place, head.run_at
                FROM room r
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place, j.run_at
                    FROM jobs j
                    WHERE j.project_id = r.project_id AND j.queue_id = r.queue_id AND j.lane = r.lane AND j.state = 0
                        AND j.wait_reason = 1
                    ORDER BY j.seq
                    LIMIT GREATEST(r.free, 0)
                ) AS head
                WHERE r.lane_ordered
            ),
            next AS MATERIALIZED (
                SELECT r.position, due.place
                FROM room r
                CROSS JOIN LATERAL (
                    SELECT first.place
                    FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                    CROSS JOIN LATERAL (
                        SELECT j.ctid AS place, j.run_at, j.seq
                        FROM jobs j
                        WHERE j.project_id = r.project_id AND j.queue_id = r.queue_id AND j.lane = r.lane AND j.state = 0
                            AND j.wait_reason = 1 AND j.priority = p.priority AND j.run_at <= now() + interval '1 second'
                        ORDER BY j.run_at, j.seq
                        LIMIT GREATEST(r.free, 0)
                    ) AS first
                    ORDER BY p.priority, first.run_at, first.seq
                    LIMIT GREATEST(r.free, 0)
                ) AS due
                WHERE NOT r.lane_ordered
                UNION ALL
                SELECT h.position, h.place
                FROM heads h
                WHERE h.run_at <= now() + interval '1 second'
            ),
            coming AS (
                SELECT r.position, later.run_at
                FROM room r
                CROSS JOIN (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                CROSS JOIN LATERAL (
                    SELECT j.run_at
                    FROM jobs j
                    WHERE j.project_id = r.project_id AND j.queue_id = r.queue_id AND j.lane = r.lane AND j.state = 0
                        AND j.wait_reason = 1 AND j.priority = p.priority AND j.run_at > now() + interval '1 second'
                        AND j.run_at < now() + interval '15 seconds'
                    ORDER BY j.run_at
                    LIMIT 1
                ) AS later
                WHERE NOT r.lane_ordered AND r.free > (SELECT count(*) FROM next n WHERE n.position = r.position)
                UNION ALL
                SELECT h.position, h.run_at
                FROM heads h
                WHERE h.run_at > now() + interval '1 second' AND h.run_at < now() + interval '15 seconds'
            ),
            soonest AS (
                SELECT position, extract(epoch FROM min(run_at) - now())::float8 - 1 AS seconds FROM coming GROUP BY position
            ),
            admitted AS (
                UPDATE jobs j
                SET state = 1, wait_reason = 0
                FROM next n
                WHERE j.ctid = n.place AND j.state = 0 AND j.wait_reason = 1
                RETURNING j.id
            )
            SELECT (SELECT count(*)::integer FROM admitted), COALESCE(array_agg(position ORDER BY position), '{}') AS positions,
                COALESCE(array_agg(seconds ORDER BY position), '{}') AS seconds
            FROM soonest
            """;

        // engine-wide: lanes of all projects; each is jumped to, however many jobs stand in it. What a full one waits for is not looked up.
        public const string Find = """
            WITH RECURSIVE lanes AS (
                (
                    SELECT project_id, queue_id, lane
                    FROM jobs
                    WHERE state = 0 AND wait_reason = 1 AND (queue_id, lane) > (@QueueId::bigint, @Lane::text)
                        AND queue_id <= @LastQueueId::bigint AND lane IS NOT NULL
                    ORDER BY queue_id, lane
                    LIMIT 1
                )
                UNION ALL
                SELECT following.project_id, following.queue_id, following.lane
                FROM lanes l
                CROSS JOIN LATERAL (
                    SELECT j.project_id, j.queue_id, j.lane
                    FROM jobs j
                    WHERE j.state = 0 AND j.wait_reason = 1 AND (j.queue_id, j.lane) > (l.queue_id, l.lane)
                        AND j.queue_id <= @LastQueueId AND j.lane IS NOT NULL
                    ORDER BY j.queue_id, j.lane
                    LIMIT 1
                ) AS following
            ),
            few AS MATERIALIZED (SELECT project_id, queue_id, lane FROM lanes LIMIT @Limit),
            looked AS MATERIALIZED (
                SELECT s.project_id, s.queue_id, s.lane, q.lane_ordered, (
                        SELECT count(*)
                        FROM (
                            SELECT
                            FROM jobs j
                            WHERE j.queue_id = s.queue_id AND j.lane = s.lane AND j.state > 0
                            LIMIT CASE WHEN q.lane_ordered THEN 1 ELSE q.lane_limit END
                        ) AS held
                    ) < CASE WHEN q.lane_ordered THEN 1 ELSE COALESCE(q.lane_limit, 1000) END AS has_room
                FROM few s
                JOIN queues q ON q.project_id = s.project_id AND q.queue_id = s.queue_id
            )
            SELECT l.project_id, l.queue_id, l.lane,
                CASE WHEN next.run_at < now() + interval '15 seconds' THEN extract(epoch FROM next.run_at - now())::float8 - 1 END AS seconds
            FROM looked l
            CROSS JOIN LATERAL (
                SELECT CASE WHEN NOT l.has_room THEN NULL WHEN l.lane_ordered THEN (
                    SELECT j.run_at
                    FROM jobs j
                    WHERE j.queue_id = l.queue_id AND j.lane = l.lane AND j.state = 0 AND j.wait_reason = 1
                    ORDER BY j.seq
                    LIMIT 1
                ) ELSE (
                    SELECT min(first.run_at)
                    FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                    CROSS JOIN LATERAL (
                        SELECT j.run_at
                        FROM jobs j
                        WHERE j.queue_id = l.queue_id AND j.lane = l.lane AND j.state = 0 AND j.wait_reason = 1
                            AND j.priority = p.priority
                        ORDER BY j.run_at
                        LIMIT 1
                    ) AS first
                ) END AS run_at
                OFFSET 0 -- looked up once
            ) AS next
            ORDER BY l.queue_id, l.lane
            """;
    }
}
