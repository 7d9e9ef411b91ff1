using System.Text.Json;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Events;

/// <summary>The statements that store events: one round trip, one commit, for up to a thousand of them.</summary>
public sealed class EventWriter(IEnumerable<IEventRoute> routes)
{
    private readonly IEventRoute[] _routes = [.. routes];

    /// <summary>Stores what is new with all it causes, in the connection's transaction or, without one, in its own.</summary>
    /// <returns>The ids that were stored, each with whether it could not be routed.</returns>
    public async Task<IReadOnlyDictionary<Guid, bool>> WriteAsync(
        NpgsqlConnection connection,
        IReadOnlyList<RoutedEvent> events,
        CancellationToken cancellationToken
    )
    {
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { Store(events) } };
        if (events.Any(routed => routed.HasPlan))
        {
            foreach (var statement in _routes.SelectMany(route => route.Statements(events)))
            {
                batch.BatchCommands.Add(statement);
            }
        }

        var stored = new Dictionary<Guid, bool>(events.Count);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            stored.Add(reader.GetGuid(0), reader.GetBoolean(1));
        }

        // a fault of a later statement shows only when its result is reached
        while (await reader.NextResultAsync(cancellationToken)) { }

        return stored;
    }

    /// <summary>Says of each event what became of it, looking up those that were not stored.</summary>
    /// <remarks>A second statement: the snapshot of the first cannot see the winner that committed while it waited.</remarks>
    public async Task<IReadOnlyList<AppendedEvent>> ResolveAsync(
        NpgsqlConnection connection,
        IReadOnlyList<RoutedEvent> events,
        IReadOnlyDictionary<Guid, bool> stored,
        CancellationToken cancellationToken
    )
    {
        var outcomes = new AppendedEvent[events.Count];
        var missing = new List<int>();
        for (var index = 0; index < events.Count; index++)
        {
            var id = events[index].Event.Id;
            outcomes[index] = new AppendedEvent(id, EventStatus.Accepted);
            if (!stored.ContainsKey(id))
            {
                missing.Add(index);
            }
        }

        if (missing.Count == 0)
        {
            return outcomes;
        }

        var wanted = missing.Select(index => events[index].Event).ToArray();
        var first = await connection.QueryAsync<FirstEvent>(
            Sql.FindFirst.With(
                new
                {
                    ProjectIds = wanted.Select(one => one.ProjectId).ToArray(),
                    Sources = wanted.Select(one => one.Source).ToArray(),
                    EventIds = wanted.Select(one => one.EventId).ToArray(),
                },
                cancellationToken
            )
        );
        foreach (var found in first)
        {
            var index = missing[(int)found.Position - 1];
            outcomes[index] = found.Compare(events[index].Event);
        }

        return outcomes;
    }

    private static NpgsqlBatchCommand Store(IReadOnlyList<RoutedEvent> events) =>
        new(Sql.Store)
        {
            Parameters =
            {
                Of("ProjectIds", NpgsqlDbType.Uuid, events, routed => routed.Event.ProjectId),
                Of("Ids", NpgsqlDbType.Uuid, events, routed => routed.Event.Id),
                Of("ReceivedAts", NpgsqlDbType.TimestampTz, events, routed => routed.Event.ReceivedAt),
                Of("Sources", NpgsqlDbType.Text, events, routed => routed.Event.Source),
                Of("EventIds", NpgsqlDbType.Text, events, routed => routed.Event.EventId),
                Of("Types", NpgsqlDbType.Text, events, routed => routed.Event.Type),
                Of("Subjects", NpgsqlDbType.Text, events, routed => routed.Event.Subject),
                Of("Times", NpgsqlDbType.TimestampTz, events, routed => routed.Event.Time),
                Of("Data", NpgsqlDbType.Text, events, routed => routed.Event.Data),
                Of("Attributes", NpgsqlDbType.Text, events, routed => routed.Event.Attributes),
                Of("SourceIds", NpgsqlDbType.Uuid, events, routed => routed.Event.SourceId),
                Of("Depths", NpgsqlDbType.Smallint, events, routed => routed.Event.Depth),
                Of("CausedByRuns", NpgsqlDbType.Uuid, events, routed => routed.Event.CausedByRun),
                Of("TraceParents", NpgsqlDbType.Text, events, routed => routed.Event.TraceParent),
                Of("RulesVersions", NpgsqlDbType.Bigint, events, routed => routed.RulesVersion),
                Of("OverBudgets", NpgsqlDbType.Boolean, events, routed => routed.OverBudget),
            },
        };

    private static NpgsqlParameter<T[]> Of<T>(
        string name,
        NpgsqlDbType type,
        IReadOnlyList<RoutedEvent> events,
        Func<RoutedEvent, T> value
    )
    {
        var values = new T[events.Count];
        for (var index = 0; index < values.Length; index++)
        {
            values[index] = value(events[index]);
        }

        return new NpgsqlParameter<T[]>(name, NpgsqlDbType.Array | type) { TypedValue = values };
    }

    private sealed record FirstEvent(
        long Position,
        Guid Id,
        string? Type,
        string? Subject,
        DateTime? Time,
        string? Data,
        string? DataBase64
    )
    {
        /// <summary>The same id is our own row, stored by a try whose answer was lost; another body is a conflict.</summary>
        public AppendedEvent Compare(NewEvent given)
        {
            if (Id == given.Id)
            {
                return new AppendedEvent(Id, EventStatus.Accepted);
            }

            var same =
                Type is null // pruned since: there is nothing left to differ from
                || (
                    Type == given.Type
                    && Subject == given.Subject
                    && Truncate(Time) == Truncate(given.Time)
                    && SameJson(Data, given.Data)
                    && DataBase64 == Base64Of(given)
                );
            return same
                ? new AppendedEvent(Id, EventStatus.Duplicate)
                : new AppendedEvent(
                    given.Id,
                    EventStatus.Conflict,
                    EventProblems.Conflict.Because(
                        $"The event {Id} has this source and id, and another type, subject, time or data."
                    )
                );
        }

        // PostgreSQL keeps microseconds
        private static DateTime? Truncate(DateTime? time) =>
            time is { } moment ? new DateTime(moment.Ticks / 10 * 10, DateTimeKind.Utc) : null;

        private static bool SameJson(string? one, string? other)
        {
            if (one is null || other is null || one == other)
            {
                return one == other;
            }

            using var left = JsonDocument.Parse(one, new JsonDocumentOptions { MaxDepth = 128 });
            using var right = JsonDocument.Parse(other, new JsonDocumentOptions { MaxDepth = 128 });
            return JsonElement.DeepEquals(left.RootElement, right.RootElement);
        }

        private static string? Base64Of(NewEvent given)
        {
            if (given.Attributes is null)
            {
                return null;
            }

            using var attributes = JsonDocument.Parse(given.Attributes);
            return attributes.RootElement.TryGetProperty("data_base64", out var data) ? data.GetString() : null;
        }
    }

    private static class Sql
    {
        // Keys are inserted in sorted order, so that two writers with crossed keys wait for each other in one direction only.
        // The rules' version is compared here and nowhere else: the statements that follow look at unrouted_events.
        public const string Store = """
            WITH given AS (
                SELECT *
                FROM unnest(
                    @ProjectIds::uuid[], @Ids::uuid[], @ReceivedAts::timestamptz[], @Sources::text[], @EventIds::text[],
                    @Types::text[], @Subjects::text[], @Times::timestamptz[], @Data::text[], @Attributes::text[],
                    @SourceIds::uuid[], @Depths::smallint[], @CausedByRuns::uuid[], @TraceParents::text[],
                    @RulesVersions::bigint[], @OverBudgets::boolean[]
                ) AS g(
                    project_id, id, received_at, source, event_id, type, subject, time, data, attributes, source_id, depth,
                    caused_by_run, traceparent, rules_version, over_budget
                )
            ),
            owned AS (
                INSERT INTO event_keys (project_id, source, event_id, id)
                SELECT project_id, source, event_id, id
                FROM given
                ORDER BY project_id, source, event_id
                ON CONFLICT DO NOTHING
                RETURNING project_id, id
            ),
            stored AS (
                INSERT INTO events (
                    project_id, id, received_at, source, event_id, type, subject, time, data, attributes, source_id, depth,
                    caused_by_run, traceparent
                )
                SELECT
                    g.project_id, g.id, g.received_at, g.source, g.event_id, g.type, g.subject, g.time, g.data::json,
                    g.attributes::json, g.source_id, g.depth, g.caused_by_run, g.traceparent
                FROM given g
                JOIN owned USING (project_id, id)
            ),
            unrouted AS (
                INSERT INTO unrouted_events (project_id, event_id, reason)
                SELECT g.project_id, g.id, CASE WHEN g.over_budget THEN 'over_budget' ELSE 'rules_changed' END
                FROM given g
                JOIN owned USING (project_id, id)
                LEFT JOIN rules_versions v ON v.project_id = g.project_id
                WHERE g.over_budget OR COALESCE(v.version, 1) > g.rules_version
                RETURNING event_id
            )
            SELECT owned.id, unrouted.event_id IS NOT NULL
            FROM owned
            LEFT JOIN unrouted ON unrouted.event_id = owned.id
            """;

        public const string FindFirst = """
            SELECT
                wanted.position, k.id, e.type, e.subject, e.time, e.data::text AS data,
                e.attributes ->> 'data_base64' AS data_base64
            FROM unnest(@ProjectIds::uuid[], @Sources::text[], @EventIds::text[])
                WITH ORDINALITY AS wanted(project_id, source, event_id, position)
            JOIN event_keys k
                ON k.project_id = wanted.project_id AND k.source = wanted.source AND k.event_id = wanted.event_id
            LEFT JOIN events e ON e.project_id = k.project_id AND e.id = k.id
            """;
    }
}
