namespace Bellhop.Features.Events;

/// <summary>Something that happened, checked and about to be stored: a UUIDv7 of ours around a CloudEvent.</summary>
/// <remarks>(<see cref="ProjectId"/>, <see cref="Source"/>, <see cref="EventId"/>) names it; a second one with that name is no second event.</remarks>
public sealed record NewEvent
{
    /// <summary>How the sources of events begin that automations emit. Nobody else may publish under them.</summary>
    public const string AutomationSource = "automations/";

    public required Guid ProjectId { get; init; }

    /// <summary>Ours, time-ordered; the key everything it causes hangs on.</summary>
    public required Guid Id { get; init; }

    public required DateTime ReceivedAt { get; init; }

    /// <summary>1–255 characters, as are <see cref="EventId"/>, <see cref="Type"/> and <see cref="Subject"/>.</summary>
    public required string Source { get; init; }

    /// <summary>The sender's id.</summary>
    public required string EventId { get; init; }

    public required string Type { get; init; }

    public string? Subject { get; init; }

    public DateTime? Time { get; init; }

    /// <summary>JSON text as it was received, at most 256 KiB.</summary>
    public string? Data { get; init; }

    /// <summary>A JSON object with every other CloudEvents attribute, as received.</summary>
    public string? Attributes { get; init; }

    /// <summary>The source it came in by, when it was a webhook.</summary>
    public Guid? SourceId { get; init; }

    /// <summary>How many runs stand between it and something from outside.</summary>
    public short Depth { get; init; }

    public Guid? CausedByRun { get; init; }

    /// <summary>W3C trace context of who brought it.</summary>
    public string? TraceParent { get; init; }
}
