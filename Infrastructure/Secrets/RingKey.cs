using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Bellhop.Infrastructure.Secrets;

/// <summary>One key of the <see cref="KeyRing"/>. Its bytes never leave this folder and are in no text of it.</summary>
public sealed partial class RingKey
{
    /// <summary>The length of a key, in bytes.</summary>
    public const int SizeBytes = 32;

    private readonly byte[] _bytes;

    private RingKey(string id, byte[] bytes)
    {
        Id = id;
        _bytes = bytes;
        CheckValue = HMACSHA256.HashData(bytes, "bellhop key ring check value v1"u8);
    }

    /// <summary>Eight lower-case hexadecimal digits that name the key in each value it sealed.</summary>
    public string Id { get; }

    /// <summary>
    /// 32 bytes that only this key gives and that tell nothing of it. Stored with the id, they show a wrong key that
    /// came under a right id before it makes every secret unreadable.
    /// </summary>
    public byte[] CheckValue { get; }

    internal ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>A key of 32 bytes for one other purpose (HKDF, RFC 5869), which tells nothing of this one.</summary>
    public byte[] Derive(string purpose) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _bytes, SizeBytes, info: Encoding.UTF8.GetBytes(purpose));

    /// <summary>The id only.</summary>
    public override string ToString() => Id;

    /// <summary>The id of a new key: the first 8 hex digits of its SHA-256.</summary>
    internal static string IdOf(byte[] key) => Convert.ToHexStringLower(SHA256.HashData(key).AsSpan(0, 4));

    internal static RingKey? TryParse(string line)
    {
        var match = Line().Match(line);
        var bytes = new byte[SizeBytes];
        return
            match.Success
            && Convert.TryFromBase64String(match.Groups["key"].Value, bytes, out var count)
            && count == SizeBytes
            ? new RingKey(match.Groups["id"].Value, bytes)
            : null;
    }

    [GeneratedRegex("^(?<id>[0-9a-f]{8}):(?<key>[A-Za-z0-9+/]{43}=)$", RegexOptions.CultureInvariant)]
    private static partial Regex Line();
}
