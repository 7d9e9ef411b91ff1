using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Secrets;

namespace Bellhop.Features.Accounts;

/// <summary>A one-time token as its owner holds it: <c>bhot_&lt;secret&gt;&lt;checksum&gt;</c>, 54 characters.</summary>
/// <remarks>
/// The secret has 43 characters (256 bits), the checksum 6 (CRC-32): it tells a slip of copying before the database is asked.
/// Only the SHA-256 of the whole is stored. Secret scanners find it by <c>bhot_[0-9A-Za-z]{49}</c>.
/// </remarks>
internal static class OneTimeToken
{
    private const string Prefix = "bhot_";
    private const int SecretLength = 43;
    private const int Length = 54;

    public static string Create()
    {
        var text = Prefix + Base62.Random(SecretLength);
        return text + Base62.Crc32(text);
    }

    /// <summary>What is stored of it; null for anything that no <see cref="Create"/> ever made.</summary>
    public static byte[]? Sha256Of(string text) =>
        text.Length == Length && text.StartsWith(Prefix, StringComparison.Ordinal) && Base62.EndsWithChecksum(text)
            ? SHA256.HashData(Encoding.UTF8.GetBytes(text))
            : null;
}
