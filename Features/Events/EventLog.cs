using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Npgsql;

namespace Bellhop.Features.Events;

/// <summary>How an event was taken.</summary>
public enum EventStatus
{
    /// <summary>Stored, with everything it causes.</summary>
    Accepted,

    /// <summary>It was here before; the answer names the first one.</summary>
    Duplicate,

    /// <summary>Another event with other content has its source and id; nothing was stored.</summary>
    Conflict,

    /// <summary>It cannot be stored; nothing was.</summary>
    Rejected,
}

/// <summary>What became of one event.</summary>
/// <param name="Id">Ours; of a duplicate, that of the first.</param>
public readonly record struct AppendedEvent(Guid Id, EventStatus Status, Problem? Problem = null);

/// <summary>What was written in a caller's transaction. After its commit the caller says <see cref="Committed"/>.</summary>
public sealed class AppendedEvents(IReadOnlyList<AppendedEvent> events, Action committed)
{
    public IReadOnlyList<AppendedEvent> Events { get; } = events;

    /// <summary>Wakes whoever carries what the events cause. A crash before it costs a second, not the work.</summary>
    public void Committed() => committed();
}

/// <summary>The one part that stores events.</summary>
/// <remarks>
/// The transaction that stores an event also stores everything it causes: there is no crack between accepted and acted on. An event
/// whose request began after a change of rules was answered is routed by those rules. What it causes is worked out before the
/// transaction, on the caller's thread; where the rules changed meanwhile the event is stored unrouted in the same transaction and
/// routed at once.
/// </remarks>
public sealed class EventLog(
    EventWriter writer,
    EventChannel channel,
    UnroutedEvents unrouted,
    IEnumerable<IEventRoute> routes,
    TimeProvider clock
)
{
    private readonly IEventRoute[] _routes = [.. routes];

    /// <summary>Stores events in transactions shared with other callers, and answers after the commit.</summary>
    /// <returns>An outcome for each event, or a 503 that says whether something may have been stored.</returns>
    public async Task<Result<IReadOnlyList<AppendedEvent>>> PublishAsync(
        IReadOnlyList<NewEvent> events,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await RouteAndStoreAsync(events, cancellationToken).WaitPatientlyAsync(cancellationToken);
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            return EventProblems.Unavailable;
        }
    }

    /// <summary>Stores events inside the caller's transaction.</summary>
    public async Task<AppendedEvents> AppendAsync(
        NpgsqlConnection connection,
        IReadOnlyList<NewEvent> events,
        CancellationToken cancellationToken
    ) => await AppendAsync(connection, await RouteAsync(events, cancellationToken), cancellationToken);

    /// <summary>Stores routed events inside the caller's transaction.</summary>
    public async Task<AppendedEvents> AppendAsync(
        NpgsqlConnection connection,
        IReadOnlyList<RoutedEvent> routed,
        CancellationToken cancellationToken
    )
    {
        var stored = await writer.WriteAsync(connection, routed, cancellationToken);
        var outcomes = await writer.ResolveAsync(connection, routed, stored, cancellationToken);
        return new AppendedEvents(outcomes, () => unrouted.Committed(routed, stored));
    }

    /// <summary>Works out what events cause, for who appends them in a transaction of its own.</summary>
    /// <remarks>To be called before a connection is taken: rules that are not in memory are read over another one.</remarks>
    public async ValueTask<IReadOnlyList<RoutedEvent>> RouteAsync(
        IReadOnlyList<NewEvent> events,
        CancellationToken cancellationToken
    )
    {
        var routed = new RoutedEvent[events.Count];
        for (var index = 0; index < events.Count; index++)
        {
            var one = new RoutedEvent(events[index], _routes);
            var budget = MatchBudget.Start(clock);
            foreach (var route in _routes)
            {
                one.Add(route, await route.MatchAsync(one.Event, budget, cancellationToken));
            }

            routed[index] = one;
        }

        return routed;
    }

    private async Task<Result<IReadOnlyList<AppendedEvent>>> RouteAndStoreAsync(
        IReadOnlyList<NewEvent> events,
        CancellationToken cancellationToken
    ) => await channel.StoreAsync(await RouteAsync(events, cancellationToken), cancellationToken);
}
