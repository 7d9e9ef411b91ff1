using System.Buffers.Binary;

namespace Bellhop.Infrastructure.Http;

/// <summary>Moments as ids: a version 7 UUID begins with its milliseconds, so that the order of ids is that of time (RFC 9562 section 5.7).</summary>
public static class IdBounds
{
    /// <summary>Smaller than every id made in the millisecond of the moment or later, greater than all before.</summary>
    public static Guid At(DateTime moment)
    {
        // what is shown has milliseconds: a bound between two of them is that of the later one
        var milliseconds = (long)Math.Ceiling((moment - DateTime.UnixEpoch).TotalMilliseconds);
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        BinaryPrimitives.WriteInt64BigEndian(bytes, Math.Clamp(milliseconds, 0, (1L << 48) - 1) << 16);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>The id that follows.</summary>
    public static Guid After(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var next = BinaryPrimitives.ReadUInt128BigEndian(bytes) + 1;
        BinaryPrimitives.WriteUInt128BigEndian(bytes, next);
        return new Guid(bytes, bigEndian: true);
    }
}
