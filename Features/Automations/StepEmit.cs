using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Expressions;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary><c>emit</c>: publishes an event, in the transaction that records the step. Its output is <c>{id}</c>.</summary>
/// <remarks>
/// The event's source is <c>automations/&lt;name&gt;</c> and its id <c>&lt;run&gt;/&lt;step&gt;</c>, so that a step taken twice
/// makes one event. Its depth is one more than that of the event that started the run.
/// </remarks>
internal sealed class StepEmit(Template with) : IStepAction
{
    private const int MaxTextLength = 255;

    public static StepEmit? Compile(StepSource source)
    {
        source.Expect(["type"], ["subject", "data", "time"]);
        if (source.Literal("type") is { } type && Fault("type", type) is { } fault)
        {
            source.Refuse("type", "invalid", fault);
        }

        return source.Compile() is { } with ? new StepEmit(with) : null;
    }

    public StepOutcome Take(RunContext context, string stepId)
    {
        var rendered = with.Render(context.Values);
        if (!rendered.Succeeded)
        {
            return StepOutcome.Failed(rendered.Error);
        }

        var type = Text(rendered.Value, "type", out var fault) ?? "";
        fault ??= Fault("type", type);
        fault ??= EventTypePattern.IsType(type) ? null : $"type is {EventTypePattern.TypeForm}.";
        var subject = Text(rendered.Value, "subject", out var unfit);
        fault ??= unfit ?? (subject is null ? null : Fault("subject", subject));
        var written = Text(rendered.Value, "time", out unfit);
        var time = written is null ? null : Rfc3339.Parse(written);
        fault ??= unfit ?? (written is not null && time is null ? "time must be RFC 3339 with an offset." : null);
        return fault is null
            ? Emit(context, stepId, type, subject, time, rendered.Value)
            : StepOutcome.Failed(RunError.InvalidEvent, fault);
    }

    private static StepOutcome Emit(
        RunContext context,
        string stepId,
        string type,
        string? subject,
        DateTime? time,
        JsonElement rendered
    )
    {
        var id = Guid.CreateVersion7(context.Now);
        var newEvent = new NewEvent
        {
            ProjectId = context.Run.ProjectId,
            Id = id,
            ReceivedAt = context.Now.UtcDateTime,
            Source = $"{NewEvent.AutomationSource}{context.Run.Automation}",
            EventId = $"{context.Run.Id}/{stepId}",
            Type = type,
            Subject = subject,
            Time = time,
            Data =
                rendered.TryGetProperty("data", out var data) && data.ValueKind != JsonValueKind.Null
                    ? data.GetRawText()
                    : null,
            Depth = context.Run.Depth,
            CausedByRun = context.Run.Id,
            TraceParent = context.Run.TraceParent,
        };
        return StepOutcome.Succeeded(RunContext.IdOutput(id)) with { Event = newEvent };
    }

    private static string? Text(JsonElement rendered, string name, out string? fault)
    {
        fault = null;
        if (!rendered.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        fault = value.ValueKind == JsonValueKind.String ? null : $"{name} must be a string.";
        return fault is null ? value.GetString() : null;
    }

    private static string? Fault(string name, string text) =>
        text.Length is 0 or > MaxTextLength ? $"{name} has 1 to {MaxTextLength} characters."
        : text.AsSpan().ContainsAnyInRange('\0', '\u001f') ? $"{name} has no control characters."
        : null;
}
