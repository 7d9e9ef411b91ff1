using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

/// <summary>The failures that only events know.</summary>
public static class EventsProblems
{
    public static readonly ProblemCode EventConflict = new(
        409,
        "event_conflict",
        "Another event has this source and id"
    );

    internal static Problem Conflict(NewEvent newEvent) =>
        EventConflict.Because(
            $"An event with other content has the source {newEvent.Source} and the id {newEvent.EventId}; that one stands."
        );
}
