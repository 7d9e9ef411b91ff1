using System.Diagnostics;

namespace Bellhop.Features.Events;

/// <summary>What we know of an event without reading it: whose it is, its id with us, when it came and on whose trace.</summary>
public readonly record struct EventReceipt(Guid ProjectId, Guid Id, DateTime ReceivedAt, string? TraceParent)
{
    /// <summary>A receipt of this moment. Ids ascend with time, by the millisecond.</summary>
    public static EventReceipt Now(Guid projectId, TimeProvider clock)
    {
        var now = clock.GetUtcNow();
        var trace = Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.Id : null;
        return new EventReceipt(projectId, Guid.CreateVersion7(now), now.UtcDateTime, trace);
    }

    /// <summary>The receipt of one of many events that came together, up to 4,096: their ids ascend in their order.</summary>
    public EventReceipt Nth(int index)
    {
        // the 12 bits behind the time count (RFC 9562 section 6.2, method 1); the 62 random ones stay
        ArgumentOutOfRangeException.ThrowIfGreaterThan(index, 0xFFF);
        Span<byte> bytes = stackalloc byte[16];
        Id.TryWriteBytes(bytes, bigEndian: true, out _);
        bytes[6] = (byte)(0x70 | (index >> 8));
        bytes[7] = (byte)index;
        return this with { Id = new Guid(bytes, bigEndian: true) };
    }
}
