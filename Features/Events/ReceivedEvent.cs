using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

/// <summary>A stored event as it is shown.</summary>
/// <param name="Event">As a CloudEvent; without its data for those who lack <c>data:read</c>.</param>
public sealed record ReceivedEvent(Guid Id, DateTime ReceivedAt, CloudEvent Event) : IExampled<ReceivedEvent>
{
    public static ReceivedEvent Example => new(Story.Event, Story.At, CloudEvent.Example);
}

/// <summary>An event's row.</summary>
internal sealed record EventRow(
    Guid Id,
    DateTime ReceivedAt,
    string EventId,
    string Source,
    string Type,
    string? Subject,
    DateTime? Time,
    string? Attributes,
    string? Data
)
{
    public ReceivedEvent ToReceived(bool withData)
    {
        var cloudEvent = new CloudEvent(EventId, Source, Type, Subject, Time, Attributes, Data);
        return new ReceivedEvent(Id, ReceivedAt, withData ? cloudEvent : cloudEvent.WithoutData());
    }
}
