using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Bellhop.Features.Audit;

/// <summary>Everything of an entry that its link covers: all of it.</summary>
internal sealed record ChainedEntry(
    Guid Id,
    long AtMicroseconds,
    string Actor,
    Guid? ActorId,
    string Method,
    string? Address,
    string? RequestId,
    string Action,
    string Target,
    Guid? TargetId,
    string? Before,
    string? After
);

/// <summary>The last link of a chain.</summary>
internal sealed record ChainHead(long Seq, byte[] Hash)
{
    /// <summary>Before the first link.</summary>
    public static readonly ChainHead None = new(0, new byte[SHA256.HashSizeInBytes]);

    public string Hex => Convert.ToHexStringLower(Hash);

    public bool Is(ChainHead other) => Seq == other.Seq && Hash.AsSpan().SequenceEqual(other.Hash);

    /// <summary>The link after this one: SHA-256 of this one's hash and of the entry, each member behind its length.</summary>
    public ChainHead Append(Guid projectId, ChainedEntry entry)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Hash);
        hash.AppendData("bellhop audit 1"u8);
        Add(hash, projectId);
        Add(hash, entry.Id);
        Add(hash, entry.AtMicroseconds);
        Add(hash, entry.Actor);
        Add(hash, entry.ActorId);
        Add(hash, entry.Method);
        Add(hash, entry.Address);
        Add(hash, entry.RequestId);
        Add(hash, entry.Action);
        Add(hash, entry.Target);
        Add(hash, entry.TargetId);
        // json, not jsonb: kept as it was written, to the last space
        Add(hash, entry.Before);
        Add(hash, entry.After);
        return new ChainHead(Seq + 1, hash.GetHashAndReset());
    }

    private static void Add(IncrementalHash hash, Guid? value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value?.TryWriteBytes(bytes, bigEndian: true, out _);
        AddBytes(hash, bytes[..(value is null ? 0 : 16)], value is null);
    }

    private static void Add(IncrementalHash hash, long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        AddBytes(hash, bytes, isNull: false);
    }

    private static void Add(IncrementalHash hash, string? value) =>
        AddBytes(hash, value is null ? [] : Encoding.UTF8.GetBytes(value), value is null);

    // behind its length, so that no two entries make the same bytes; null is not the empty text
    private static void AddBytes(IncrementalHash hash, ReadOnlySpan<byte> bytes, bool isNull)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, isNull ? -1 : bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
