using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Bellhop.Infrastructure.Http.RateLimits;

/// <summary>Whom a request is counted for, as a number: an address, or the id of a key, a project or a source.</summary>
public static class RateSubject
{
    private const int Bytes = 16;

    /// <summary>Where the request comes from, behind trusted proxies. IPv6 is counted per /64, which one customer holds.</summary>
    public static UInt128 Of(HttpContext context) =>
        context.Connection.RemoteIpAddress is { } address ? Of(address) : UInt128.Zero;

    public static UInt128 Of(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        bytes.Clear();
        if (address.AddressFamily == AddressFamily.InterNetwork || address.IsIPv4MappedToIPv6)
        {
            bytes[10..12].Fill(0xFF); // ::ffff:a.b.c.d
            (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).TryWriteBytes(bytes[12..], out _);
        }
        else
        {
            address.TryWriteBytes(bytes, out _);
            bytes[8..].Clear();
        }

        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    public static UInt128 Of(Guid id)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        id.TryWriteBytes(bytes);
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }
}
