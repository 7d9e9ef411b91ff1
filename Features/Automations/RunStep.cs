using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Expressions;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary>A step ready to be taken.</summary>
/// <param name="Handles">The step for whose failure it is there; null: it is taken in any case.</param>
internal sealed record RunStep(string Id, Expression? If, IStepAction Action, string? Handles)
{
    /// <summary>Whether the run goes on where it fails.</summary>
    public bool GoesOn { get; init; }
}

/// <summary>What a step does. It writes nothing: its outcome says what is to be written.</summary>
internal interface IStepAction
{
    StepOutcome Take(RunContext context, string stepId);
}

/// <summary>How a step ended, or what it waits for, with the effects that commit together with the record of it.</summary>
internal sealed record StepOutcome(string State, JsonElement? Output = null, RunError? Error = null)
{
    public NewJob? Job { get; init; }

    public NewEvent? Event { get; init; }

    public static readonly StepOutcome Skipped = new(StepState.Skipped);

    public static StepOutcome Succeeded(JsonElement output) => new(StepState.Succeeded, output);

    public static StepOutcome Failed(string code, string message) =>
        new(StepState.Failed, Error: new RunError(code, message));

    public static StepOutcome Failed(ExpressionError error) => new(StepState.Failed, Error: RunError.Of(error));
}

/// <summary>How the state of a step is spelled.</summary>
internal static class StepState
{
    public const string Succeeded = "succeeded";
    public const string Skipped = "skipped";
    public const string Waiting = "waiting";
    public const string Failed = "failed";
}

/// <summary>How the state of a run is spelled.</summary>
public static class RunState
{
    public const string Queued = "queued";
    public const string Waiting = "waiting";
    public const string Held = "held";
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";

    /// <summary>It came to its end past a step that failed.</summary>
    public const string Partial = "partial";

    public static readonly IReadOnlyList<string> All =
    [
        Queued,
        "running",
        Waiting,
        Held,
        Succeeded,
        Partial,
        Failed,
        "canceled",
    ];
}

/// <summary>The states of an automation.</summary>
public static class AutomationState
{
    public static readonly IReadOnlyList<string> All = ["active", "disabled"];
}

/// <summary>Why a run or a step did not succeed, as it is stored.</summary>
/// <param name="Code">From a closed set: those of expressions, of jobs, and the ones named here.</param>
/// <param name="Step">The step that failed.</param>
/// <param name="Pointer">Where in the step's <c>with</c>.</param>
internal sealed record RunError(
    string Code,
    string Message,
    string? Step = null,
    string? Pointer = null,
    int? Line = null,
    int? Column = null
)
{
    public const string IfFailed = "if_failed";
    public const string DepthExceeded = "depth_exceeded";
    public const string EngineError = "engine_error";
    public const string OutputTooLarge = "output_too_large";
    public const string InvalidEvent = "invalid_event";
    public const string InvalidJob = "invalid_job";
    public const string JobMissing = "job_missing";
    public const string StepMissing = "step_missing";
    public const string UnknownSecret = "unknown_secret";

    private static readonly JsonSerializerOptions WithoutNulls = new(JsonRules.Options)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static RunError Of(ExpressionError error) =>
        new(
            error.Code == ErrorCode.TooLarge ? OutputTooLarge : error.Code,
            error.Message,
            null,
            error.Pointer,
            error.Line,
            error.Column
        );

    public string ToJson() => JsonSerializer.Serialize(this, WithoutNulls);

    public JsonElement ToElement() => JsonSerializer.SerializeToElement(this, WithoutNulls);
}
