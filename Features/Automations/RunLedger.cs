using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Automations;

/// <summary>The statements that read and write runs and their steps.</summary>
/// <remarks>
/// A run is carried by one job at a time, and everything it does from one wait to the next is one transaction that also ends that
/// job: a carrier whose claim is lost writes nothing. The primary key of steps is the second fence.
/// </remarks>
internal static class RunLedger
{
    /// <summary>The run with its event, and the queues of its project; null where it is not there.</summary>
    public static async Task<(LoadedRun Run, IReadOnlyDictionary<string, bool> Queues)?> LoadAsync(
        NpgsqlConnection connection,
        Guid projectId,
        Guid runId,
        CancellationToken cancellationToken
    )
    {
        // the event of a run has the same 48 bits of time: both look-ups prune to one partition
        var arguments = new
        {
            ProjectId = projectId,
            RunId = runId,
            From = DerivedId.Floor(runId, TimeSpan.Zero),
            Until = DerivedId.Floor(runId, TimeSpan.FromMilliseconds(-1)),
        };
        var row = await connection.QuerySingleOrDefaultAsync<RunRow>(Sql.Load.With(arguments, cancellationToken));
        return row is null ? null : (row.ToRun(projectId), row.ToQueues());
    }

    /// <summary>The steps recorded so far, those that wait with how their jobs ended.</summary>
    public static async Task<IReadOnlyDictionary<string, RecordedStep>> LoadStepsAsync(
        NpgsqlConnection connection,
        LoadedRun run,
        CancellationToken cancellationToken
    )
    {
        var rows = await connection.QueryAsync<StepRow>(
            Sql.LoadSteps.With(
                new
                {
                    run.ProjectId,
                    RunId = run.Id,
                    Since = run.CreatedAt.AddMinutes(-1),
                },
                cancellationToken
            )
        );
        return rows.ToDictionary(row => row.StepId, row => row.ToStep());
    }

    public static Task<string> LoadDefinitionAsync(
        NpgsqlConnection connection,
        LoadedRun run,
        CancellationToken cancellationToken
    ) =>
        connection.QuerySingleAsync<string>(
            Sql.LoadDefinition.With(
                new
                {
                    run.ProjectId,
                    run.AutomationId,
                    run.Version,
                },
                cancellationToken
            )
        );

    /// <summary>Holds a run whose carrier is out of attempts, in the transaction that fails the carrier.</summary>
    public static Task<int> HoldAsync(
        NpgsqlConnection connection,
        ClaimedJob carrier,
        RunError error,
        CancellationToken cancellationToken
    ) =>
        connection.ExecuteAsync(
            Sql.Hold.With(
                new
                {
                    carrier.ProjectId,
                    RunId = RunCarrier.RunIdOf(carrier),
                    Error = error.ToJson(),
                },
                cancellationToken
            )
        );

    /// <summary>The statements that write how far a run came, the end of its carrier first.</summary>
    public static IEnumerable<NpgsqlBatchCommand> Write(ClaimedJob carrier, LoadedRun run, RunProgress progress)
    {
        var now = progress.Now;

        // first, not last: who has lost the claim waits here for who has it, and is told so, before anything conflicts
        yield return JobQueue.Finish(carrier, null);
        if (progress.Steps.Any(step => step.WasWaiting))
        {
            yield return EndWait(run, progress.Steps.First(step => step.WasWaiting), now);
        }

        if (progress.Steps.Any(step => !step.WasWaiting))
        {
            yield return Record(run, [.. progress.Steps.Where(step => !step.WasWaiting)], now);
        }

        if (progress.Jobs.Any())
        {
            yield return JobQueue.Insert([.. progress.Jobs]);
        }

        yield return new NpgsqlBatchCommand(Sql.Move)
        {
            Parameters =
            {
                new("ProjectId", run.ProjectId),
                new("RunId", run.Id),
                new("State", progress.State),
                Nullable("WaitingFor", NpgsqlDbType.Text, progress.WaitingFor),
                Nullable("Error", NpgsqlDbType.Text, progress.Error?.ToJson()),
                Nullable("FinishedAt", NpgsqlDbType.TimestampTz, progress.IsOver ? now : null),
            },
        };
    }

    private static NpgsqlBatchCommand EndWait(LoadedRun run, StepRecord step, DateTime now) =>
        new(Sql.EndWait)
        {
            Parameters =
            {
                new("ProjectId", run.ProjectId),
                new("RunId", run.Id),
                new("StepId", step.StepId),
                new("State", step.Outcome.State),
                Nullable("Output", NpgsqlDbType.Text, step.Outcome.Output?.GetRawText()),
                Nullable("Error", NpgsqlDbType.Text, step.Outcome.Error?.ToJson()),
                new("FinishedAt", now),
            },
        };

    private static NpgsqlBatchCommand Record(LoadedRun run, StepRecord[] steps, DateTime now) =>
        new(Sql.Record)
        {
            Parameters =
            {
                new("ProjectId", run.ProjectId),
                new("RunId", run.Id),
                new("Now", now),
                Of("StepIds", NpgsqlDbType.Text, steps, step => step.StepId),
                Of("Positions", NpgsqlDbType.Integer, steps, step => step.Position),
                Of("States", NpgsqlDbType.Text, steps, step => step.Outcome.State),
                Of("Outputs", NpgsqlDbType.Text, steps, step => step.Outcome.Output?.GetRawText()),
                Of("Errors", NpgsqlDbType.Text, steps, step => step.Outcome.Error?.ToJson()),
                Of("JobIds", NpgsqlDbType.Uuid, steps, step => step.Outcome.Job?.Id),
            },
        };

    private static NpgsqlParameter Nullable(string name, NpgsqlDbType type, object? value) =>
        new(name, type) { Value = value ?? DBNull.Value };

    private static NpgsqlParameter<T[]> Of<T>(
        string name,
        NpgsqlDbType type,
        StepRecord[] steps,
        Func<StepRecord, T> value
    ) => new(name, NpgsqlDbType.Array | type) { TypedValue = Array.ConvertAll(steps, step => value(step)) };

    private sealed record RunRow
    {
        public Guid Id { get; init; }
        public Guid AutomationId { get; init; }
        public string Automation { get; init; } = "";
        public int Version { get; init; }
        public string State { get; init; } = "";
        public short Depth { get; init; }
        public DateTime CreatedAt { get; init; }
        public string? TraceParent { get; init; }
        public Guid EventId { get; init; }
        public string Source { get; init; } = "";
        public string EventName { get; init; } = "";
        public string Type { get; init; } = "";
        public string? Subject { get; init; }
        public DateTime? Time { get; init; }
        public string? Data { get; init; }
        public string? Attributes { get; init; }
        public string[] Queues { get; init; } = [];
        public bool[] ServedHere { get; init; } = [];

        public LoadedRun ToRun(Guid projectId) =>
            new()
            {
                ProjectId = projectId,
                Id = Id,
                AutomationId = AutomationId,
                Automation = Automation,
                Version = Version,
                State = State,
                Depth = Depth,
                CreatedAt = CreatedAt,
                TraceParent = TraceParent,
                Event = new NewEvent
                {
                    ProjectId = projectId,
                    Id = EventId,
                    ReceivedAt = CreatedAt,
                    Source = Source,
                    EventId = EventName,
                    Type = Type,
                    Subject = Subject,
                    Time = Time,
                    Data = Data,
                    Attributes = Attributes,
                    Depth = (short)(Depth - 1),
                },
            };

        public Dictionary<string, bool> ToQueues() =>
            Queues.Zip(ServedHere).ToDictionary(queue => queue.First, queue => queue.Second);
    }

    private sealed record StepRow
    {
        public string StepId { get; init; } = "";
        public string State { get; init; } = "";
        public string? Output { get; init; }
        public string? StepError { get; init; }
        public short? Outcome { get; init; }
        public string? Result { get; init; }
        public string? Error { get; init; }
        public bool JobIsOpen { get; init; }

        public RecordedStep ToStep() =>
            new(StepId, State, Output)
            {
                Error = StepError,
                JobState = Outcome is { } outcome ? JobState.Finished[outcome] : null,
                JobResult = Result,
                JobError = Error,
                JobIsOpen = JobIsOpen,
            };
    }

    private static class Sql
    {
        public const string Load = """
            SELECT
                r.id, r.automation_id, a.name AS automation, r.version, r.state, r.depth, r.created_at,
                r.traceparent AS trace_parent, e.id AS event_id, e.source, e.event_id AS event_name, e.type, e.subject, e.time,
                e.data::text AS data, e.attributes::text AS attributes, q.queues, q.served_here
            FROM runs r
            JOIN events e ON e.project_id = r.project_id AND e.id = r.event_id AND e.id >= @From AND e.id < @Until
            JOIN automations a ON a.project_id = r.project_id AND a.id = r.automation_id
            CROSS JOIN LATERAL (
                SELECT array_agg(name) AS queues, array_agg(served_by = 'service') AS served_here
                FROM queues
                WHERE project_id = r.project_id AND deleted_at IS NULL
            ) q
            WHERE r.project_id = @ProjectId AND r.id = @RunId
            """;

        public const string LoadSteps = """
            SELECT
                s.step_id, s.state, s.output::text AS output, s.error::text AS step_error, h.outcome, h.result::text AS result, h.error::text AS error,
                EXISTS (SELECT FROM jobs j WHERE j.project_id = s.project_id AND j.id = s.job_id) AS job_is_open
            FROM run_steps s
            LEFT JOIN job_history h
                ON s.state = 'waiting' AND h.project_id = s.project_id AND h.id = s.job_id AND h.finished_at >= @Since
            WHERE s.project_id = @ProjectId AND s.run_id = @RunId
            """;

        public const string LoadDefinition = """
            SELECT definition::text
            FROM automation_versions
            WHERE project_id = @ProjectId AND automation_id = @AutomationId AND version = @Version
            """;

        public const string Record = """
            INSERT INTO run_steps (
                project_id, run_id, step_id, position, state, output, error, job_id, started_at, finished_at
            )
            SELECT
                @ProjectId, @RunId, s.step_id, s.position, s.state, s.output::json, s.error::json, s.job_id, @Now,
                CASE WHEN s.state <> 'waiting' THEN @Now::timestamptz END
            FROM unnest(
                @StepIds::text[], @Positions::integer[], @States::text[], @Outputs::text[], @Errors::text[], @JobIds::uuid[]
            ) AS s(step_id, position, state, output, error, job_id)
            """;

        public const string EndWait = """
            UPDATE run_steps
            SET state = @State, output = @Output::json, error = @Error::json, finished_at = @FinishedAt
            WHERE project_id = @ProjectId AND run_id = @RunId AND step_id = @StepId AND item = 0 AND state = 'waiting'
            """;

        // a run that was ended meanwhile, as by a cancel, takes what its carrier did back with it
        public const string Move = """
            WITH moved AS (
                UPDATE runs
                SET state = @State, waiting_for = @WaitingFor, error = @Error::json, finished_at = @FinishedAt
                WHERE project_id = @ProjectId AND id = @RunId AND state IN ('queued', 'running', 'waiting')
                RETURNING id
            )
            SELECT CASE WHEN EXISTS (SELECT FROM moved) THEN true ELSE lease_lost() END
            """;

        public const string Hold = """
            UPDATE runs
            SET state = 'held', error = @Error::json
            WHERE project_id = @ProjectId AND id = @RunId AND state IN ('queued', 'running', 'waiting')
            """;
    }
}
