using System.Buffers.Binary;
using System.Buffers.Text;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>What a worker shows to prove that it holds a job: the number of the claim and the key of the call that made it.</summary>
/// <remarks>
/// To others it is opaque. The number is the fence, raised by each claim and never lowered; the key is a random one that only the
/// worker knows, so that none can guess another's lease.
/// </remarks>
public readonly record struct Lease(long ClaimNo, Guid ClaimKey)
{
    public const int Length = 32;
    private const int Bytes = 24;

    /// <summary>Null: it was not given here.</summary>
    public static Lease? Parse(string? text)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        return
            text is { Length: Length }
            && Base64Url.IsValid(text)
            && Base64Url.TryDecodeFromChars(text, bytes, out var written)
            && written == Bytes
            ? new Lease(BinaryPrimitives.ReadInt64BigEndian(bytes), new Guid(bytes[8..], bigEndian: true))
            : null;
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        BinaryPrimitives.WriteInt64BigEndian(bytes, ClaimNo);
        ClaimKey.TryWriteBytes(bytes[8..], bigEndian: true, out _);
        return Base64Url.EncodeToString(bytes);
    }
}
