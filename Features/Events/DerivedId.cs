using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Bellhop.Features.Events;

/// <summary>Ids of what an event causes, derived from the event, so that causing it twice is storing it once.</summary>
/// <remarks>
/// The 48 bits of time are the event's, so the row lands in the event's partition; the other bits are a hash of (event, cause). A
/// partitioned table cannot have a unique index on the pair: its primary key takes that part.
/// </remarks>
public static class DerivedId
{
    public static Guid Of(Guid eventId, Guid cause)
    {
        Span<byte> input = stackalloc byte[32];
        eventId.TryWriteBytes(input, bigEndian: true, out _);
        cause.TryWriteBytes(input[16..], bigEndian: true, out _);
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(input, hash);
        input[..6].CopyTo(hash);
        hash[6] = (byte)((hash[6] & 0x0F) | 0x70);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }

    /// <summary>The smallest id of the moment in <paramref name="id"/>, less a margin: bounds scans of partitioned tables.</summary>
    public static Guid Floor(Guid id, TimeSpan margin)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var milliseconds = BinaryPrimitives.ReadInt64BigEndian(bytes) >>> 16;
        return At(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) - margin);
    }

    /// <summary>The smallest id of a moment.</summary>
    public static Guid At(DateTimeOffset moment)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        BinaryPrimitives.WriteInt64BigEndian(bytes, moment.ToUnixTimeMilliseconds() << 16);
        return new Guid(bytes, bigEndian: true);
    }
}
