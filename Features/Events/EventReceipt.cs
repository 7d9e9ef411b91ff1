using System.Diagnostics;

namespace Bellhop.Features.Events;

/// <summary>What we know of an event without reading it: whose it is, its id with us, when it came and on whose trace.</summary>
public readonly record struct EventReceipt(Guid ProjectId, Guid Id, DateTime ReceivedAt, string? TraceParent)
{
    /// <summary>A receipt of this moment. Ids of one receiver ascend with time.</summary>
    public static EventReceipt Now(Guid projectId, TimeProvider clock)
    {
        var now = clock.GetUtcNow();
        var trace = Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.Id : null;
        return new EventReceipt(projectId, Guid.CreateVersion7(now), now.UtcDateTime, trace);
    }
}
