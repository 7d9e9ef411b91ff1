using System.Text.Json;

namespace Bellhop.Features.Events;

/// <summary>An event as the document of the API shows it to those who send one; it is read by <see cref="CloudEventReader"/>.</summary>
/// <param name="Type">What happened, as dotted words: <c>ticket.created</c>.</param>
/// <param name="Source">Where it happened. With <paramref name="Id"/> it names the event.</param>
/// <param name="Subject">What it happened to.</param>
/// <param name="Id">The sender's id; without one, a repeated request is a second event.</param>
/// <param name="Time">When it happened.</param>
/// <param name="Data">Any JSON, 256 KiB at most.</param>
public sealed record PlainEvent(
    string Type,
    string Source,
    string? Subject = null,
    string? Id = null,
    DateTime? Time = null,
    JsonElement? Data = null
);

/// <summary>Many events, as the document of the API shows them; read by <see cref="EventBatchReader"/>.</summary>
public sealed record PlainEvents(IReadOnlyList<PlainEvent> Events);
