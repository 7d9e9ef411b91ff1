using Npgsql;

namespace Bellhop.Features.Events;

/// <summary>What decides what an event causes. Features that react to events register one; Events knows none of them by name.</summary>
public interface IEventRoute
{
    /// <summary>Works out, without writing, what the event causes under the project's current rules.</summary>
    /// <remarks>Called on the request's own thread; the answer is null when the event causes nothing here.</remarks>
    ValueTask<Routing> MatchAsync(NewEvent newEvent, MatchBudget budget, CancellationToken cancellationToken);

    /// <summary>The statements that store what was worked out, for the transaction that stores the events.</summary>
    /// <remarks>
    /// Each must insert only where the event row exists and no row of <c>unrouted_events</c> does, must do nothing where the row is
    /// there already, and must lock in one order.
    /// </remarks>
    IEnumerable<NpgsqlBatchCommand> Statements(IReadOnlyList<RoutedEvent> events);

    /// <summary>Called after the commit: the moment to wake whoever carries the work. May be missed by a crash.</summary>
    void Committed(IReadOnlyList<RoutedEvent> events);

    /// <summary>Forgets what it knows of a project's rules, so that the next match reads them anew.</summary>
    void Forget(Guid projectId);
}

/// <summary>What one route says of one event: the version of the rules it looked at, and its plan.</summary>
/// <param name="Plan">What <see cref="IEventRoute.Statements"/> of the same route stores; null: nothing.</param>
/// <param name="OverBudget">It did not get to the end within the budget: the event is to be routed later.</param>
public readonly record struct Routing(long RulesVersion, object? Plan, bool OverBudget = false);

/// <summary>How long matching may take on a request's thread.</summary>
public readonly record struct MatchBudget(TimeProvider Clock, long Until)
{
    public static readonly TimeSpan OnRequest = TimeSpan.FromMilliseconds(2);

    /// <summary>For events that wait unrouted: bounded by the cost limits of the expressions alone.</summary>
    public static MatchBudget Unlimited(TimeProvider clock) => new(clock, long.MaxValue);

    public static MatchBudget Start(TimeProvider clock) =>
        new(clock, clock.GetTimestamp() + (long)(OnRequest.TotalSeconds * clock.TimestampFrequency));

    /// <summary>As much time again, from now: reading rules from the database is waiting, not matching.</summary>
    public MatchBudget Afresh() => Until == long.MaxValue ? this : Start(Clock);

    public bool IsSpent => Clock.GetTimestamp() > Until;
}

/// <summary>An event with what each route planned for it.</summary>
public sealed class RoutedEvent(NewEvent newEvent, IReadOnlyList<IEventRoute> routes)
{
    private readonly object?[] _plans = new object?[routes.Count];

    public NewEvent Event { get; } = newEvent;

    /// <summary>The oldest version any route looked at: the event is routed only if the project is still at it.</summary>
    public long RulesVersion { get; private set; } = long.MaxValue;

    public bool OverBudget { get; private set; }

    public T? PlanOf<T>(IEventRoute route)
        where T : class => (T?)_plans[IndexOf(route)];

    internal bool HasPlan => Array.Exists(_plans, plan => plan is not null);

    internal void Add(IEventRoute route, Routing routing)
    {
        _plans[IndexOf(route)] = routing.Plan;
        RulesVersion = Math.Min(RulesVersion, routing.RulesVersion);
        OverBudget |= routing.OverBudget;
    }

    private int IndexOf(IEventRoute route)
    {
        for (var index = 0; index < routes.Count; index++)
        {
            if (ReferenceEquals(routes[index], route))
            {
                return index;
            }
        }

        throw new InvalidOperationException("The route is not registered.");
    }
}
