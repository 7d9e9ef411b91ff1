using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Expressions;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Automations;

/// <summary>Starts a run of each active automation whose pattern and <c>if</c> an event meets.</summary>
/// <remarks>
/// One run for a pair of event and automation, however often it is routed: the run's id is derived from both. An <c>if</c> that
/// fails, and a chain of events that is too long, make a run that is held, with the reason.
/// </remarks>
internal sealed class RunRoute(NpgsqlDataSource database, QueueSignals signals) : IEventRoute
{
    /// <summary>How many runs may stand in a row, each started by an event of the one before.</summary>
    public const int MaxDepth = 8;

    private readonly RulesCache<ActiveAutomations> _rules = new(database, ActiveAutomations.LoadAsync);

    public async ValueTask<Routing> MatchAsync(
        NewEvent newEvent,
        MatchBudget budget,
        CancellationToken cancellationToken
    )
    {
        var (version, automations) = await _rules.GetAsync(newEvent.ProjectId, cancellationToken);
        budget = budget.Afresh();
        var runs = new List<PlannedRun>();
        foreach (var automation in automations.Matching(newEvent.Type))
        {
            if (budget.IsSpent)
            {
                return new Routing(version, null, OverBudget: true);
            }

            if (Plan(newEvent, automation) is { } run)
            {
                runs.Add(run);
            }
        }

        return new Routing(version, runs.Count == 0 ? null : runs, budget.IsSpent);
    }

    public IEnumerable<NpgsqlBatchCommand> Statements(IReadOnlyList<RoutedEvent> events)
    {
        PlannedRun[] runs = [.. events.SelectMany(one => one.PlanOf<List<PlannedRun>>(this) ?? [])];
        if (runs.Length > 0)
        {
            yield return Start(runs);
        }
    }

    public void Committed(IReadOnlyList<RoutedEvent> events)
    {
        var held = 0;
        var queued = 0;
        foreach (var run in events.SelectMany(one => one.PlanOf<List<PlannedRun>>(this) ?? []))
        {
            held += run.Error is null ? 0 : 1;
            queued += run.Error is null ? 1 : 0;
        }

        if (held > 0)
        {
            RunMetrics.CountHeld(held);
        }

        if (queued > 0)
        {
            JobMetrics.CountEnqueued(JobQueue.Automations, RunCarrier.Kind, queued);
            signals.Raise();
        }
    }

    public void Forget(Guid projectId) => _rules.Forget(projectId);

    private static PlannedRun? Plan(NewEvent newEvent, ActiveAutomation automation)
    {
        var id = DerivedId.Of(newEvent.Id, automation.Id);
        if (newEvent.Depth >= MaxDepth)
        {
            return new PlannedRun(
                newEvent,
                automation,
                id,
                new RunError(
                    RunError.DepthExceeded,
                    $"{newEvent.Depth} runs stand behind this event already, each started by an event of the one before."
                )
            );
        }

        if (automation.If is not { } condition)
        {
            return new PlannedRun(newEvent, automation, id);
        }

        var answer = condition.Succeeded ? Test(condition.Value, newEvent, automation, id) : condition.Error;
        return !answer.Succeeded
                ? new PlannedRun(newEvent, automation, id, new RunError(RunError.IfFailed, answer.Error.ToString()))
            : answer.Value ? new PlannedRun(newEvent, automation, id)
            : null;
    }

    private static ExpressionResult<bool> Test(
        Expression condition,
        NewEvent newEvent,
        ActiveAutomation automation,
        Guid id
    ) => condition.Test(AutomationScope.Values(newEvent, id, automation.Name, automation.Version, newEvent.ReceivedAt));

    private static NpgsqlBatchCommand Start(PlannedRun[] runs) =>
        new(Sql.Start)
        {
            Parameters =
            {
                Of("ProjectIds", NpgsqlDbType.Uuid, runs, run => run.Event.ProjectId),
                Of("Ids", NpgsqlDbType.Uuid, runs, run => run.Id),
                Of("EventIds", NpgsqlDbType.Uuid, runs, run => run.Event.Id),
                Of("AutomationIds", NpgsqlDbType.Uuid, runs, run => run.Automation.Id),
                Of("Versions", NpgsqlDbType.Integer, runs, run => run.Automation.Version),
                Of("States", NpgsqlDbType.Text, runs, run => run.Error is null ? RunState.Queued : RunState.Held),
                Of("Depths", NpgsqlDbType.Smallint, runs, run => (short)(run.Event.Depth + 1)),
                Of("CreatedAts", NpgsqlDbType.TimestampTz, runs, run => run.Event.ReceivedAt),
                Of("JobIds", NpgsqlDbType.Uuid, runs, run => run.JobId),
                Of("Errors", NpgsqlDbType.Text, runs, run => run.Error?.ToJson()),
                Of("TraceParents", NpgsqlDbType.Text, runs, run => run.Event.TraceParent),
                new("Queue", JobQueue.Automations),
                new("Kind", RunCarrier.Kind),
            },
        };

    private static NpgsqlParameter<T[]> Of<T>(
        string name,
        NpgsqlDbType type,
        PlannedRun[] runs,
        Func<PlannedRun, T> value
    ) => new(name, NpgsqlDbType.Array | type) { TypedValue = Array.ConvertAll(runs, run => value(run)) };

    private sealed record PlannedRun(NewEvent Event, ActiveAutomation Automation, Guid Id, RunError? Error = null)
    {
        public Guid? JobId { get; } = Error is null ? Guid.CreateVersion7(Event.ReceivedAt) : null;
    }

    private static class Sql
    {
        // The event is looked up in a subquery of its own for each run: as a join, a planner without statistics reads every
        // partition of events.
        public const string Start = """
            WITH started AS (
                INSERT INTO runs (
                    project_id, id, event_id, automation_id, version, state, depth, created_at, job_id, error, traceparent
                )
                SELECT
                    r.project_id, r.id, r.event_id, r.automation_id, r.version, r.state, r.depth, r.created_at, r.job_id,
                    r.error::json, r.traceparent
                FROM unnest(
                    @ProjectIds::uuid[], @Ids::uuid[], @EventIds::uuid[], @AutomationIds::uuid[], @Versions::integer[],
                    @States::text[], @Depths::smallint[], @CreatedAts::timestamptz[], @JobIds::uuid[], @Errors::text[],
                    @TraceParents::text[]
                ) AS r(
                    project_id, id, event_id, automation_id, version, state, depth, created_at, job_id, error, traceparent
                )
                WHERE (SELECT true FROM events e WHERE e.project_id = r.project_id AND e.id = r.event_id)
                    AND (
                        SELECT true FROM unrouted_events u WHERE u.project_id = r.project_id AND u.event_id = r.event_id
                    ) IS NULL
                ORDER BY r.project_id, r.id
                ON CONFLICT DO NOTHING
                RETURNING project_id, id, job_id, traceparent
            )
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, traceparent, args)
            SELECT
                s.project_id, s.job_id, q.queue_id, now(), 1, q.max_attempts, @Kind, s.traceparent,
                json_build_object('run_id', s.id)
            FROM started s
            JOIN queues q ON q.project_id = s.project_id AND q.name = @Queue AND q.deleted_at IS NULL
            WHERE s.job_id IS NOT NULL
            """;
    }
}
