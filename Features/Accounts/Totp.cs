using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Bellhop.Features.Accounts;

/// <summary>Codes of an authenticator (RFC 6238): six digits, SHA-1, a new one each 30 s. What every authenticator can.</summary>
internal static class Totp
{
    public const int Digits = 6;
    public const int StepSeconds = 30;

    private const int SecretBytes = 20; // RFC 4226 section 4, R6
    private const string Base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    public static byte[] NewSecret() => RandomNumberGenerator.GetBytes(SecretBytes);

    public static long StepAt(DateTimeOffset now) => now.ToUnixTimeSeconds() / StepSeconds;

    /// <summary>The code of a step.</summary>
    [SuppressMessage("Security", "CA5350", Justification = "what authenticators do; as an HMAC it holds")]
    public static string CodeAt(byte[] secret, long step, int digits = Digits)
    {
        Span<byte> counter = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(counter, step);
        Span<byte> hash = stackalloc byte[HMACSHA1.HashSizeInBytes];
        HMACSHA1.HashData(secret, counter, hash);
        var number = BinaryPrimitives.ReadUInt32BigEndian(hash[(hash[^1] & 0xF)..]) & int.MaxValue;
        var modulus = (uint)Math.Pow(10, digits);
        return (number % modulus).ToString(CultureInfo.InvariantCulture).PadLeft(digits, '0');
    }

    /// <summary>The step that the code is of, where it is this one or one beside it; takes equally long for each code.</summary>
    public static long? StepOf(byte[] secret, string code, DateTimeOffset now)
    {
        var given = Encoding.UTF8.GetBytes(code);
        long? found = null;
        for (var step = StepAt(now) - 1; step <= StepAt(now) + 1; step++)
        {
            if (CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(CodeAt(secret, step)), given))
            {
                found = step;
            }
        }

        return found;
    }

    /// <summary>As authenticators take it (RFC 4648 section 6, without padding).</summary>
    public static string ToBase32(byte[] secret)
    {
        var text = new StringBuilder();
        for (var bit = 0; bit < secret.Length * 8; bit += 5)
        {
            var (at, shift) = (bit / 8, bit % 8);
            var pair = (secret[at] << 8) | (at + 1 < secret.Length ? secret[at + 1] : 0);
            text.Append(Base32[(pair >> (11 - shift)) & 31]);
        }

        return text.ToString();
    }

    /// <summary>What a QR code holds.</summary>
    public static string ToUri(byte[] secret, string email) =>
        $"otpauth://totp/Bellhop:{Uri.EscapeDataString(email)}?secret={ToBase32(secret)}&issuer=Bellhop";
}
