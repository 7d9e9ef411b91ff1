using System.Globalization;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Events;

/// <summary>Reads what became of an event, as one statement over events, runs, steps, jobs and deliveries.</summary>
internal static class Timeline
{
    /// <summary>The items after a place, of what the caller reaches; none where the event is not there.</summary>
    public static Task<IEnumerable<TimelineRow>> ReadAsync(
        NpgsqlConnection connection,
        Caller caller,
        Guid eventId,
        TimelinePlace after,
        int take,
        CancellationToken cancellationToken
    ) =>
        connection.QueryAsync<TimelineRow>(
            Sql.Tell.With(
                new
                {
                    caller.ProjectId,
                    caller.ReachQueues,
                    caller.ReachTags,
                    caller.ReachOwner,
                    Id = eventId,
                    after.Milliseconds,
                    after.Level,
                    after.Rank,
                    after.Position,
                    AfterId = after.Id,
                    Take = take,
                },
                cancellationToken
            )
        );

    private static class Sql
    {
        // What an event causes is younger than the event, so every look-up of a partitioned table has a floor. LATERAL with a LIMIT
        // makes each look-up one of an index: as joins, a planner without statistics reads the partitions whole.
        public const string Tell = """
            WITH RECURSIVE told (id, level) AS (
                SELECT id, 0 FROM events WHERE project_id = @ProjectId AND id = @Id
                UNION ALL
                SELECT caused.id, t.level + 1
                FROM told t
                CROSS JOIN LATERAL (
                    SELECT r.id
                    FROM runs r
                    WHERE r.project_id = @ProjectId AND r.event_id = t.id
                        AND r.id >= first_id_at(id_time(@Id) - interval '1 minute')
                    LIMIT 1000
                ) r
                CROSS JOIN LATERAL (
                    SELECT e.id
                    FROM events e
                    WHERE e.project_id = @ProjectId AND e.caused_by_run = r.id
                        AND e.id >= first_id_at(id_time(@Id) - interval '1 minute')
                    LIMIT 1000
                ) caused
                WHERE t.level < 8
            ),
            known AS MATERIALIZED (
                SELECT id, level FROM told LIMIT 1000
            ),
            ran AS MATERIALIZED (
                SELECT k.level, r.*
                FROM known k
                CROSS JOIN LATERAL (
                    SELECT id, event_id, automation_id, state, error, created_at
                    FROM runs
                    WHERE project_id = @ProjectId AND event_id = k.id
                        AND id >= first_id_at(id_time(@Id) - interval '1 minute')
                        AND (
                            (@ReachTags::text[] IS NULL AND @ReachOwner::uuid IS NULL)
                            OR EXISTS (
                                SELECT FROM automations a
                                WHERE a.project_id = @ProjectId AND a.id = runs.automation_id
                                    AND (@ReachTags IS NULL OR a.tags && @ReachTags)
                                    AND (@ReachOwner IS NULL OR a.owner_id = @ReachOwner)
                            )
                        )
                    LIMIT 1000
                ) r
                LIMIT 1000
            ),
            stepped AS MATERIALIZED (
                SELECT r.level, s.*
                FROM ran r
                CROSS JOIN LATERAL (
                    SELECT run_id, step_id, position, state, error, job_id, started_at
                    FROM run_steps
                    WHERE project_id = @ProjectId AND run_id = r.id
                    LIMIT 1000
                ) s
                LIMIT 1000
            ),
            worked AS MATERIALIZED (
                SELECT s.level, s.position, s.run_id, s.step_id, j.*
                FROM stepped s
                CROSS JOIN LATERAL (
                    SELECT id, queue_id, kind, CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'ready' ELSE 'running' END AS state, NULL::json AS error
                    FROM jobs
                    WHERE project_id = @ProjectId AND id = s.job_id
                    UNION ALL
                    SELECT
                        id, queue_id, kind,
                        CASE outcome WHEN 0 THEN 'succeeded' WHEN 1 THEN 'failed' WHEN 2 THEN 'canceled' ELSE 'expired' END,
                        error
                    FROM job_history
                    WHERE project_id = @ProjectId AND id = s.job_id AND finished_at >= id_time(@Id) - interval '1 minute'
                    LIMIT 1
                ) j
                WHERE s.job_id IS NOT NULL
                    AND (
                        @ReachQueues::text[] IS NULL
                        OR EXISTS (
                            SELECT FROM queues q
                            WHERE q.project_id = @ProjectId AND q.queue_id = j.queue_id AND q.name = ANY (@ReachQueues)
                        )
                    )
            ),
            delivered AS MATERIALIZED (
                SELECT k.level, d.*
                FROM known k
                CROSS JOIN LATERAL (
                    SELECT id, event_id, endpoint_id, state, created_at
                    FROM deliveries
                    WHERE project_id = @ProjectId AND event_id = k.id
                        AND id >= first_id_at(id_time(@Id) - interval '1 minute')
                        AND (
                            (@ReachTags IS NULL AND @ReachOwner IS NULL)
                            OR EXISTS (
                                SELECT FROM webhook_endpoints e
                                WHERE e.project_id = @ProjectId AND e.id = deliveries.endpoint_id
                                    AND (@ReachTags IS NULL OR e.tags && @ReachTags)
                                    AND (@ReachOwner IS NULL OR e.owner_id = @ReachOwner)
                            )
                        )
                    LIMIT 1000
                ) d
                LIMIT 1000
            ),
            items (at, level, rank, position, kind, id, parent_id, name, state, error) AS (
                SELECT
                    e.received_at, k.level, 0, 0, 'event', e.id::text, e.caused_by_run::text, e.type,
                    CASE WHEN u.event_id IS NULL THEN 'routed' ELSE 'unrouted' END, NULL::text
                FROM known k
                CROSS JOIN LATERAL (
                    SELECT id, received_at, caused_by_run, type
                    FROM events
                    WHERE project_id = @ProjectId AND id = k.id
                    LIMIT 1
                ) e
                LEFT JOIN unrouted_events u ON u.project_id = @ProjectId AND u.event_id = e.id
                UNION ALL
                SELECT r.created_at, r.level, 1, 0, 'run', r.id::text, r.event_id::text, a.name, r.state, r.error::text
                FROM ran r
                JOIN automations a ON a.project_id = @ProjectId AND a.id = r.automation_id
                UNION ALL
                SELECT
                    started_at, level, 2, position, 'step', run_id::text || '/' || step_id, run_id::text, step_id, state, error::text
                FROM stepped
                UNION ALL
                SELECT id_time(id), level, 3, position, 'job', id::text, run_id::text || '/' || step_id, kind, state, error::text
                FROM worked
                UNION ALL
                SELECT
                    t.at, w.level, 4, t.attempt, 'attempt', w.id::text || '/' || t.claim_no, w.id::text, 'attempt ' || t.attempt,
                    t.outcome, t.error::text
                FROM worked w
                CROSS JOIN LATERAL (
                    SELECT at, claim_no, attempt, outcome, error
                    FROM job_attempts
                    WHERE project_id = @ProjectId AND job_id = w.id AND at >= id_time(@Id) - interval '1 minute'
                    LIMIT 1000
                ) t
                UNION ALL
                SELECT d.created_at, d.level, 3, 0, 'delivery', d.id::text, d.event_id::text, w.name, d.state, NULL
                FROM delivered d
                JOIN webhook_endpoints w ON w.project_id = @ProjectId AND w.id = d.endpoint_id
                UNION ALL
                SELECT
                    t.at, d.level, 4, t.attempt, 'attempt', d.id::text || '/' || t.attempt, d.id::text, 'attempt ' || t.attempt,
                    CASE WHEN t.error IS NULL THEN 'succeeded' ELSE 'failed' END,
                    CASE WHEN t.error IS NOT NULL THEN json_build_object('code', t.error, 'status', t.status)::text END
                FROM delivered d
                CROSS JOIN LATERAL (
                    SELECT at, attempt, status, error
                    FROM delivery_attempts
                    WHERE project_id = @ProjectId AND delivery_id = d.id
                    LIMIT 1000
                ) t
            ),
            ordered AS (
                SELECT
                    at, (extract(epoch FROM at) * 1000)::bigint AS milliseconds, level, rank, position, kind, id COLLATE "C" AS id,
                    parent_id, name, state, error
                FROM (
                    SELECT date_trunc('milliseconds', at) AS at, level, rank, position, kind, id, parent_id, name, state, error
                    FROM items
                ) AS rounded
                ORDER BY at, level, rank, position, id
                LIMIT 1000
            )
            SELECT at, milliseconds, level, rank, position, kind, id, parent_id, name, state, error
            FROM ordered
            WHERE @Milliseconds::bigint IS NULL
                OR (milliseconds, level, rank, position, id) > (@Milliseconds, @Level, @Rank, @Position, @AfterId)
            ORDER BY milliseconds, level, rank, position, id
            LIMIT @Take
            """;
    }
}

/// <summary>One item of a timeline, with its place in the order.</summary>
internal sealed record TimelineRow
{
    public DateTime At { get; init; }
    public long Milliseconds { get; init; }
    public int Level { get; init; }
    public int Rank { get; init; }
    public int Position { get; init; }
    public string Kind { get; init; } = "";
    public string Id { get; init; } = "";
    public string? ParentId { get; init; }
    public string Name { get; init; } = "";
    public string State { get; init; } = "";
    public string? Error { get; init; }

    public TimelinePlace Place => new(Milliseconds, Level, Rank, Position, Id);
}

/// <summary>Where an item stands in the order; its text is what a cursor holds.</summary>
internal readonly record struct TimelinePlace(long? Milliseconds, int Level, int Rank, int Position, string Id)
{
    public static TimelinePlace Parse(string? text)
    {
        if (text is null)
        {
            return new TimelinePlace(null, 0, 0, 0, "");
        }

        var parts = text.Split('|', 5);
        return new TimelinePlace(
            long.Parse(parts[0], CultureInfo.InvariantCulture),
            int.Parse(parts[1], CultureInfo.InvariantCulture),
            int.Parse(parts[2], CultureInfo.InvariantCulture),
            int.Parse(parts[3], CultureInfo.InvariantCulture),
            parts[4]
        );
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Milliseconds}|{Level}|{Rank}|{Position}|{Id}");
}
