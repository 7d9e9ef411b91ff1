using Bellhop.Features.Events;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Webhooks;

/// <summary>Makes a delivery for each endpoint that an event's type matches, in the transaction that stores the event.</summary>
/// <remarks>
/// One delivery for a pair of event and endpoint, however often it is routed: its id is derived from both. For an endpoint that is
/// disabled the delivery is stored as <c>disabled</c>, so that nothing vanishes.
/// </remarks>
internal sealed class MatchingEndpoints(NpgsqlDataSource database, SenderSignals senders) : IEventRoute
{
    private readonly RulesCache<EventTypeIndex<Target>> _rules = new(database, LoadAsync);

    public async ValueTask<Routing> MatchAsync(
        NewEvent newEvent,
        MatchBudget budget,
        CancellationToken cancellationToken
    )
    {
        var (version, endpoints) = await _rules.GetAsync(newEvent.ProjectId, cancellationToken);
        var matching = endpoints.Find(newEvent.Type);
        return new Routing(version, matching.Count == 0 ? null : matching);
    }

    public IEnumerable<NpgsqlBatchCommand> Statements(IReadOnlyList<RoutedEvent> events)
    {
        var planned = Planned(events).ToArray();
        if (planned.Length > 0)
        {
            yield return Insert(planned);
        }
    }

    public void Committed(IReadOnlyList<RoutedEvent> events)
    {
        foreach (
            var (projectId, endpointId) in Planned(events)
                .Where(planned => planned.Target.IsActive)
                .Select(planned => (planned.Event.ProjectId, planned.Target.Id))
                .Distinct()
        )
        {
            senders.Raise(projectId, endpointId);
        }
    }

    public void Forget(Guid projectId) => _rules.Forget(projectId);

    private IEnumerable<(NewEvent Event, Target Target)> Planned(IReadOnlyList<RoutedEvent> events) =>
        events.SelectMany(routed =>
            (routed.PlanOf<IReadOnlyList<Target>>(this) ?? []).Select(target => (routed.Event, target))
        );

    private static NpgsqlBatchCommand Insert((NewEvent Event, Target Target)[] planned) =>
        new(Sql.Insert)
        {
            Parameters =
            {
                Of("ProjectIds", NpgsqlDbType.Uuid, planned, one => one.Event.ProjectId),
                Of("Ids", NpgsqlDbType.Uuid, planned, one => DerivedId.Of(one.Event.Id, one.Target.Id)),
                Of("EventIds", NpgsqlDbType.Uuid, planned, one => one.Event.Id),
                Of("EndpointIds", NpgsqlDbType.Uuid, planned, one => one.Target.Id),
                Of("Actives", NpgsqlDbType.Boolean, planned, one => one.Target.IsActive),
            },
        };

    private static NpgsqlParameter<T[]> Of<T>(
        string name,
        NpgsqlDbType type,
        (NewEvent, Target)[] planned,
        Func<(NewEvent Event, Target Target), T> value
    ) => new(name, NpgsqlDbType.Array | type) { TypedValue = Array.ConvertAll(planned, one => value(one)) };

    private static async Task<EventTypeIndex<Target>> LoadAsync(
        NpgsqlConnection connection,
        Guid projectId,
        CancellationToken cancellationToken
    )
    {
        var rows = await connection.QueryAsync<(Guid Id, string[] EventTypes, bool IsActive)>(
            Sql.Load.With(new { ProjectId = projectId }, cancellationToken)
        );
        return new EventTypeIndex<Target>(
            rows.Select(row =>
                (
                    new Target(row.Id, row.IsActive),
                    (IReadOnlyCollection<EventTypePattern>)
                        [.. row.EventTypes.Select(type => EventTypePattern.Parse(type)!)]
                )
            )
        );
    }

    private sealed record Target(Guid Id, bool IsActive);

    private static class Sql
    {
        public const string Load = """
            SELECT id, event_types, state = 'active' AS is_active
            FROM webhook_endpoints
            WHERE project_id = @ProjectId AND deleted_at IS NULL
            ORDER BY id
            """;

        // The event is looked up in a subquery of its own for each row: as a join, a planner without statistics reads every
        // partition of events.
        public const string Insert = """
            INSERT INTO deliveries (
                project_id, id, event_id, endpoint_id, state, next_attempt_at, created_at, finished_at
            )
            SELECT
                d.project_id, d.id, d.event_id, d.endpoint_id, CASE WHEN d.active THEN 'pending' ELSE 'disabled' END,
                CASE WHEN d.active THEN now() END, id_time(d.event_id), CASE WHEN d.active THEN NULL ELSE now() END
            FROM unnest(@ProjectIds::uuid[], @Ids::uuid[], @EventIds::uuid[], @EndpointIds::uuid[], @Actives::boolean[])
                AS d(project_id, id, event_id, endpoint_id, active)
            WHERE (SELECT true FROM events e WHERE e.project_id = d.project_id AND e.id = d.event_id)
                AND (
                    SELECT true FROM unrouted_events u WHERE u.project_id = d.project_id AND u.event_id = d.event_id
                ) IS NULL
            ORDER BY d.project_id, d.id
            ON CONFLICT DO NOTHING
            """;
    }
}
