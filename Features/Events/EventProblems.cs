using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

/// <summary>What may go wrong with an event, beyond what may go wrong with any request.</summary>
public static class EventProblems
{
    public static readonly ProblemCode Conflict = new(409, "event_conflict", "Another event has this source and id");

    public static readonly Problem Busy = Problems.Busy.Because(
        "More events wait to be stored than the service holds in memory; nothing was stored. Repeat the request."
    ) with
    {
        RetryAfterSeconds = 1,
    };

    public static readonly Problem Unavailable = Problems.StorageUnavailable.Because(
        "The database cannot be reached or is restarting; whether the event was stored is unknown. "
            + "Repeat the request with the same source and id: it will not be stored twice."
    ) with
    {
        RetryAfterSeconds = 1,
    };
}
