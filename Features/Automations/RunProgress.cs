using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Features.Jobs;

namespace Bellhop.Features.Automations;

/// <summary>A step that was recorded when the run was last carried on.</summary>
internal sealed record RecordedStep(string StepId, string State, string? Output)
{
    /// <summary>Of a step that failed.</summary>
    public string? Error { get; init; }

    /// <summary>Of a step that waits: how its job ended; null while it has not.</summary>
    public string? JobState { get; init; }

    public string? JobResult { get; init; }

    public string? JobError { get; init; }

    /// <summary>The job it waits for is still to end.</summary>
    public bool JobIsOpen { get; init; }

    public static JsonElement? Parse(string? json) =>
        json is null ? null : JsonElement.Parse(json, new JsonDocumentOptions { MaxDepth = 128 });
}

/// <summary>A step to be recorded.</summary>
internal sealed record StepRecord(string StepId, int Position, StepOutcome Outcome)
{
    /// <summary>The row is there, and waits.</summary>
    public bool WasWaiting { get; init; }
}

/// <summary>How far a run comes from where it was: to its end, or to the next wait. Everything in memory, nothing written.</summary>
internal sealed class RunProgress
{
    private readonly RunContext _context;
    private readonly List<StepRecord> _steps = [];
    private readonly HashSet<string> _failed = [];

    private RunProgress(RunContext context) => _context = context;

    /// <summary>The steps taken now, in order.</summary>
    public IReadOnlyList<StepRecord> Steps => _steps;

    public IEnumerable<NewJob> Jobs => _steps.Select(step => step.Outcome.Job).OfType<NewJob>();

    public IEnumerable<NewEvent> Events => _steps.Select(step => step.Outcome.Event).OfType<NewEvent>();

    /// <summary>When the steps were taken.</summary>
    public DateTime Now => _context.Now.UtcDateTime;

    /// <summary>The run's new state.</summary>
    public string State { get; private set; } = RunState.Succeeded;

    public string? WaitingFor { get; private set; }

    public RunError? Error { get; private set; }

    public bool IsOver => State != RunState.Waiting;

    /// <summary>Takes the steps that are not recorded, in order, until one waits or fails.</summary>
    public static RunProgress Advance(
        RunContext context,
        CompiledAutomation automation,
        IReadOnlyDictionary<string, RecordedStep> recorded
    )
    {
        var progress = new RunProgress(context);
        for (var position = 0; position < automation.Steps.Count; position++)
        {
            var step = automation.Steps[position];
            if (!progress.Pass(step, position, recorded.GetValueOrDefault(step.Id)))
            {
                return progress;
            }
        }

        progress.State = progress._failed.Count == 0 ? RunState.Succeeded : RunState.Partial;
        return progress;
    }

    /// <summary>False where the run goes no further now.</summary>
    private bool Pass(RunStep step, int position, RecordedStep? recorded)
    {
        if (step.Handles is { } failing && !_failed.Contains(failing))
        {
            _context.Add(step, null);
            return true;
        }

        if (recorded is { State: not StepState.Waiting })
        {
            _context.Add(step, recorded);
            Note(step, recorded.State);
            return true;
        }

        var outcome = recorded is null ? Take(step) : Resume(recorded);
        _steps.Add(new StepRecord(step.Id, position, outcome) { WasWaiting = recorded is not null });
        switch (outcome.State)
        {
            case StepState.Waiting:
                (State, WaitingFor) = (RunState.Waiting, step.Id);
                return false;
            case StepState.Failed when !step.GoesOn:
                (State, Error) = (RunState.Failed, outcome.Error! with { Step = step.Id });
                return false;
            default:
                _context.Add(step.Id, outcome.State, outcome.Output, outcome.Error?.ToElement());
                Note(step, outcome.State);
                return true;
        }
    }

    private void Note(RunStep step, string state)
    {
        if (state == StepState.Failed)
        {
            _failed.Add(step.Id);
        }
    }

    private StepOutcome Take(RunStep step)
    {
        if (step.If is { } condition)
        {
            var answer = condition.Test(_context.Values);
            if (!answer.Succeeded)
            {
                return StepOutcome.Failed(RunError.IfFailed, answer.Error.ToString());
            }

            if (!answer.Value)
            {
                return StepOutcome.Skipped;
            }
        }

        return step.Action.Take(_context, step.Id);
    }

    private static StepOutcome Resume(RecordedStep waited)
    {
        if (waited.JobState == JobState.Succeeded)
        {
            return StepOutcome.Succeeded(RecordedStep.Parse(waited.JobResult ?? "null")!.Value);
        }

        if (waited.JobState is null)
        {
            return StepOutcome.Failed(RunError.JobMissing, "The job it waited for is not there any more.");
        }

        var error = RecordedStep.Parse(waited.JobError);
        return StepOutcome.Failed(
            Text(error, "code") ?? $"job_{waited.JobState}",
            Text(error, "message") ?? $"The job is {waited.JobState}."
        );
    }

    private static string? Text(JsonElement? error, string name) =>
        error is { ValueKind: JsonValueKind.Object } json
        && json.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
}
