using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Expressions;

namespace Bellhop.Features.Automations;

/// <summary>A run as it stands in the database, with the event that started it.</summary>
internal sealed record LoadedRun
{
    public required Guid ProjectId { get; init; }

    public required Guid Id { get; init; }

    public required Guid AutomationId { get; init; }

    /// <summary>The automation's name.</summary>
    public required string Automation { get; init; }

    public required int Version { get; init; }

    public required string State { get; init; }

    public required short Depth { get; init; }

    /// <summary>What <c>now</c> is in its expressions.</summary>
    public required DateTime CreatedAt { get; init; }

    public string? TraceParent { get; init; }

    public required NewEvent Event { get; init; }

    public bool IsOver => State is not (RunState.Queued or RunState.Waiting);
}

/// <summary>What the steps of a run see and share while it is carried on.</summary>
internal sealed class RunContext(LoadedRun run, JobTargets targets, DateTimeOffset now)
{
    private readonly List<(string Id, Value Step)> _taken = [];

    public LoadedRun Run { get; } = run;

    public JobTargets Targets { get; } = targets;

    /// <summary>The moment at which it is carried on; expressions see <see cref="LoadedRun.CreatedAt"/> instead.</summary>
    public DateTimeOffset Now { get; } = now;

    /// <summary>The values of the names an expression sees.</summary>
    public Value[] Values { get; } =
        AutomationScope.Values(run.Event, run.Id, run.Automation, run.Version, run.CreatedAt);

    /// <summary>Lets the steps that follow see a step that was taken or skipped.</summary>
    public void Add(string stepId, string state, JsonElement? output = null, JsonElement? error = null)
    {
        _taken.Add((stepId, AutomationScope.TakenStep(state, output, error)));
        Values[AutomationScope.Steps] = Value.Map([.. _taken]);
    }

    /// <summary>The same for a step as it was recorded; one that was passed over, as for a failure that did not come, has no record.</summary>
    public void Add(RunStep step, RecordedStep? recorded) =>
        Add(
            step.Id,
            recorded?.State ?? StepState.Skipped,
            RecordedStep.Parse(recorded?.Output),
            RecordedStep.Parse(recorded?.Error)
        );

    /// <summary>The output of a step that made something.</summary>
    public static JsonElement IdOutput(Guid id) => JsonSerializer.SerializeToElement(new { id });
}
