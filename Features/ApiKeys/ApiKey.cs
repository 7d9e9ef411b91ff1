using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Secrets;

namespace Bellhop.Features.ApiKeys;

/// <summary>An API key as its owner holds it: <c>bh_&lt;id&gt;_&lt;secret&gt;&lt;checksum&gt;</c>, 79 characters.</summary>
/// <remarks>
/// The id (26 characters) finds the row, the secret (43, 256 bits) proves the owner, the checksum (6, CRC-32) tells a slip
/// of copying before the database is asked. Only the SHA-256 of the whole is stored: of so long a secret nothing can be guessed.
/// Secret scanners find it by <c>bh_[0-9a-z]{26}_[0-9A-Za-z]{49}</c>.
/// </remarks>
public sealed class ApiKey
{
    public const int Length = 79;

    private const string Prefix = "bh_";
    private const int IdLength = 26;
    private const int SecretLength = 43;

    private ApiKey(Guid rowId, string id, string text) => (RowId, Id, Text) = (rowId, id, text);

    /// <summary>The id as the API shows it.</summary>
    public Guid RowId { get; }

    /// <summary>The same as it stands in the key: the part that is no secret.</summary>
    public string Id { get; }

    /// <summary>All of it: shown once, when it is made.</summary>
    public string Text { get; }

    /// <summary>What is stored.</summary>
    public byte[] Sha256 => SHA256.HashData(Encoding.ASCII.GetBytes(Text));

    /// <summary>What tells one secret of a key from another and says nothing of either.</summary>
    public static string MarkOf(byte[] storedSha256) =>
        Convert.ToHexStringLower(SHA256.HashData(storedSha256).AsSpan(0, 8));

    /// <summary>A new key with a secret from the system's random generator.</summary>
    public static ApiKey Create(Guid id)
    {
        var keyId = CrockfordBase32.Encode(id);
        var text = $"{Prefix}{keyId}_{Base62.Random(SecretLength)}";
        return new ApiKey(id, keyId, text + Base62.Crc32(text));
    }

    /// <summary>Whether this is meant to be a key, whatever it is worth.</summary>
    public static bool IsLike(string text) => text.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Reads a key; null for anything that no <see cref="Create"/> ever made.</summary>
    public static ApiKey? Parse(string text) =>
        text.Length == Length
        && text.StartsWith(Prefix, StringComparison.Ordinal)
        && text[Prefix.Length + IdLength] == '_'
        && Base62.EndsWithChecksum(text)
        && CrockfordBase32.TryDecode(text.AsSpan(Prefix.Length, IdLength), out var id)
            ? new ApiKey(id, text.Substring(Prefix.Length, IdLength), text)
            : null;

    /// <summary>Whether this is the key that was stored; takes equally long either way.</summary>
    public bool Matches(byte[] storedSha256) => CryptographicOperations.FixedTimeEquals(Sha256, storedSha256);

    /// <summary>The id only.</summary>
    public override string ToString() => Prefix + Id;
}
