using System.Collections.Concurrent;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Events;

/// <summary>Routes what was stored unrouted: the rules had just changed, matching took too long, or plain SQL published it.</summary>
/// <remarks>
/// Under locks that other replicas skip; what an event causes and the end of its waiting commit together. Doing it twice does
/// nothing, since the ids of what is caused are derived.
/// </remarks>
public sealed partial class UnroutedEvents(
    NpgsqlDataSource database,
    IEnumerable<IEventRoute> routes,
    TimeProvider clock,
    ILogger<UnroutedEvents> logger
)
{
    private const int Batch = 200;

    private readonly IEventRoute[] _routes = [.. routes];

    // projects whose rules were seen to be old, until their unrouted events are taken up
    private readonly ConcurrentDictionary<Guid, bool> _routing = new();

    /// <summary>After a commit: wakes the carriers of what was routed and routes the rest at once.</summary>
    public void Committed(IReadOnlyList<RoutedEvent> events, IReadOnlyDictionary<Guid, bool> stored)
    {
        foreach (var route in _routes)
        {
            route.Committed(events);
        }

        foreach (
            var project in events
                .Where(one => stored.GetValueOrDefault(one.Event.Id))
                .Select(one => one.Event.ProjectId)
                .Distinct()
        )
        {
            Forget(project);
            if (_routing.TryAdd(project, true))
            {
                _ = Task.Run(() => RouteInBackgroundAsync(project));
            }
        }
    }

    /// <summary>Routes what waits, a batch a transaction, until a batch is not full.</summary>
    /// <returns>How many were routed.</returns>
    public async Task<int> RouteAsync(CancellationToken cancellationToken)
    {
        var total = 0;
        int routed;
        do
        {
            routed = await RouteBatchAsync(cancellationToken);
            total += routed;
        } while (routed == Batch);

        return total;
    }

    private async Task RouteInBackgroundAsync(Guid project)
    {
        _routing.TryRemove(project, out _); // before looking: who comes later looks again
        try
        {
            await RouteAsync(CancellationToken.None);
        }
        catch (Exception exception)
        {
            RoutingFailed(logger, exception); // the duty comes within a second
        }
    }

    private async Task<int> RouteBatchAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var waiting = (await connection.QueryAsync<Row>(Sql.Take.With(new { Batch }, cancellationToken))).ToArray();
        if (waiting.Length == 0)
        {
            return 0;
        }

        var routed = new List<RoutedEvent>(waiting.Length);
        foreach (var row in waiting)
        {
            routed.Add(await MatchAsync(row, cancellationToken));
        }

        await using (var batch = new NpgsqlBatch(connection, transaction))
        {
            foreach (var statement in _routes.SelectMany(route => route.Statements(routed)))
            {
                batch.BatchCommands.Add(statement);
            }

            if (batch.BatchCommands.Count > 0)
            {
                await batch.ExecuteNonQueryAsync(cancellationToken);
            }
        }

        await transaction.CommitAsync(cancellationToken);
        foreach (var route in _routes)
        {
            route.Committed(routed);
        }

        return waiting.Length;
    }

    private async Task<RoutedEvent> MatchAsync(Row row, CancellationToken cancellationToken)
    {
        var one = new RoutedEvent(row.ToEvent(), _routes);
        foreach (var route in _routes)
        {
            var routing = await route.MatchAsync(one.Event, MatchBudget.Unlimited(clock), cancellationToken);
            if (routing.RulesVersion < row.RulesVersion)
            {
                route.Forget(row.ProjectId);
                routing = await route.MatchAsync(one.Event, MatchBudget.Unlimited(clock), cancellationToken);
            }

            one.Add(route, routing);
        }

        return one;
    }

    private void Forget(Guid project)
    {
        foreach (var route in _routes)
        {
            route.Forget(project);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Routing events at once failed; the duty takes them up.")]
    private static partial void RoutingFailed(ILogger logger, Exception exception);

    private sealed record Row
    {
        public Guid ProjectId { get; init; }
        public Guid Id { get; init; }
        public DateTime ReceivedAt { get; init; }
        public string Source { get; init; } = "";
        public string EventId { get; init; } = "";
        public string Type { get; init; } = "";
        public string? Subject { get; init; }
        public DateTime? Time { get; init; }
        public string? Data { get; init; }
        public string? Attributes { get; init; }
        public Guid? SourceId { get; init; }
        public short Depth { get; init; }
        public Guid? CausedByRun { get; init; }
        public string? TraceParent { get; init; }
        public long RulesVersion { get; init; }

        public NewEvent ToEvent() =>
            new()
            {
                ProjectId = ProjectId,
                Id = Id,
                ReceivedAt = ReceivedAt,
                Source = Source,
                EventId = EventId,
                Type = Type,
                Subject = Subject,
                Time = Time,
                Data = Data,
                Attributes = Attributes,
                SourceId = SourceId,
                Depth = Depth,
                CausedByRun = CausedByRun,
                TraceParent = TraceParent,
            };
    }

    private static class Sql
    {
        // Deleted first: the statements of the routes store nothing for an event that still waits.
        public const string Take = """
            WITH waiting AS (
                SELECT project_id, event_id
                FROM unrouted_events
                ORDER BY project_id, event_id
                LIMIT @Batch
                FOR UPDATE SKIP LOCKED
            ),
            taken AS (
                DELETE FROM unrouted_events u
                USING waiting w
                WHERE u.project_id = w.project_id AND u.event_id = w.event_id
                RETURNING u.project_id, u.event_id
            )
            SELECT
                e.project_id, e.id, e.received_at, e.source, e.event_id, e.type, e.subject, e.time, e.data::text AS data,
                e.attributes::text AS attributes, e.source_id, e.depth, e.caused_by_run, e.traceparent AS trace_parent,
                COALESCE(v.version, 1) AS rules_version
            FROM taken t
            JOIN events e ON e.project_id = t.project_id AND e.id = t.event_id
            LEFT JOIN rules_versions v ON v.project_id = t.project_id
            ORDER BY e.project_id, e.id
            """;
    }
}
