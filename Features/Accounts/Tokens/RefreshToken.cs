using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Secrets;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>A refresh token as its holder has it: <c>bhrt_&lt;secret&gt;&lt;checksum&gt;</c>, 54 characters. Its text form shows nothing of it.</summary>
/// <remarks>
/// 256 bits, of which the SHA-256 is stored. Secret scanners find it by <c>bhrt_[0-9A-Za-z]{49}</c>. Its successor follows from it
/// and from a key of the ring: two who spend it at once get the same, and whoever has it without the ring cannot know the next.
/// </remarks>
internal sealed class RefreshToken
{
    public const int Length = 54;

    private const string Prefix = "bhrt_";
    private const int SecretLength = 43;

    private RefreshToken(string text) => Text = text;

    public string Text { get; }

    /// <summary>What is stored.</summary>
    public byte[] Sha256 => SHA256.HashData(Encoding.ASCII.GetBytes(Text));

    public static RefreshToken Create() => Of(Base62.Random(SecretLength));

    /// <summary>Reads one; null for anything that never was one.</summary>
    public static RefreshToken? Parse(string text) =>
        text.Length == Length
        && Ascii.IsValid(text)
        && text.StartsWith(Prefix, StringComparison.Ordinal)
        && Base62.EndsWithChecksum(text)
            ? new RefreshToken(text)
            : null;

    /// <param name="key">32 bytes that only the service has.</param>
    public RefreshToken Successor(byte[] key) =>
        Of(Base62.Encode(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(Text))));

    public override string ToString() => "a refresh token";

    private static RefreshToken Of(string secret) => new($"{Prefix}{secret}{Base62.Crc32(Prefix + secret)}");
}
