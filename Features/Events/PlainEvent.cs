using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

/// <summary>An event as the document of the API shows it to those who send one; it is read by <see cref="CloudEventReader"/>.</summary>
/// <param name="Type">What happened, as dotted words: <c>ticket.created</c>.</param>
/// <param name="Source">Where it happened. With <paramref name="Id"/> it names the event.</param>
/// <param name="Subject">What it happened to.</param>
/// <param name="Id">The sender's id; without one, a repeated request is a second event.</param>
/// <param name="Time">When it happened.</param>
/// <param name="Data">Any JSON, 256 KiB at most.</param>
public sealed record PlainEvent(
    [property: Length(1, EventDraft.MaxTextLength)] string Type,
    [property: Length(1, EventDraft.MaxTextLength)] string Source,
    [property: Length(1, EventDraft.MaxTextLength)] string? Subject = null,
    [property: Length(1, EventDraft.MaxTextLength)] string? Id = null,
    DateTime? Time = null,
    JsonElement? Data = null
) : IExampled<PlainEvent>
{
    public static PlainEvent Example =>
        new(
            "ticket.created",
            "shop",
            "orders/1042",
            "ticket-7",
            Story.At,
            Story.Json("""{"ticket":7,"order":1042,"text":"The parcel did not arrive."}""")
        );
}

/// <summary>Many events, as the document of the API shows them; read by <see cref="EventBatchReader"/>.</summary>
public sealed record PlainEvents([property: MaxLength(EventBatchReader.MaxEvents)] IReadOnlyList<PlainEvent> Events)
    : IExampled<PlainEvents>
{
    public static PlainEvents Example => new([PlainEvent.Example]);
}

/// <summary>Many CloudEvents, as the document of the API shows them.</summary>
[CloudEventsShape]
public sealed class CloudEvents : List<CloudEvent>, IExampled<CloudEvents>
{
    public static CloudEvents Example => [CloudEvent.Example];
}
