using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Bellhop.Infrastructure.Secrets;

/// <summary>Random text and checksums of the 62 ASCII digits and letters, for keys that people copy.</summary>
public static class Base62
{
    /// <summary>The length of <see cref="Crc32"/>, which holds the largest 32-bit number.</summary>
    public const int ChecksumLength = 6;

    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    private static readonly uint[] Remainders = [.. Enumerable.Range(0, 256).Select(value => Remainder((uint)value))];

    /// <summary>
    /// Text of that many characters from the system's random generator, each of the 62 equally likely: 5.95 bits
    /// a character, 256 bits in 43.
    /// </summary>
    public static string Random(int length) => RandomNumberGenerator.GetString(Alphabet, length);

    /// <summary>32 bytes as 43 characters, most significant first, filled up with 0.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, 32);
        var number = new BigInteger(bytes, isUnsigned: true, isBigEndian: true);
        Span<char> digits = stackalloc char[43];
        for (var i = digits.Length - 1; i >= 0; i--)
        {
            number = BigInteger.DivRem(number, Alphabet.Length, out var digit);
            digits[i] = Alphabet[(int)digit];
        }

        return digits.ToString();
    }

    /// <summary>
    /// The CRC-32 (ISO-HDLC, as in zip and Ethernet) of the text's UTF-8 bytes in six characters, most significant
    /// first, filled up with 0. It finds slips of copying before a look-up does; it protects against nobody.
    /// </summary>
    public static string Crc32(string text)
    {
        var crc = uint.MaxValue;
        foreach (var value in Encoding.UTF8.GetBytes(text))
        {
            crc = (crc >> 8) ^ Remainders[(byte)(crc ^ value)];
        }

        crc = ~crc;
        Span<char> digits = stackalloc char[ChecksumLength];
        for (var i = digits.Length - 1; i >= 0; i--)
        {
            (crc, var digit) = Math.DivRem(crc, (uint)Alphabet.Length);
            digits[i] = Alphabet[(int)digit];
        }

        return digits.ToString();
    }

    /// <summary>Whether the text ends in the <see cref="Crc32"/> of all before it. Takes equally long for each text
    /// of a length.</summary>
    public static bool EndsWithChecksum(string text) =>
        text.Length > ChecksumLength
        && CryptographicOperations.FixedTimeEquals(
            Encoding.UTF8.GetBytes(Crc32(text[..^ChecksumLength])),
            Encoding.UTF8.GetBytes(text[^ChecksumLength..])
        );

    private static uint Remainder(uint value)
    {
        for (var bit = 0; bit < 8; bit++)
        {
            value = (value & 1) == 0 ? value >> 1 : (value >> 1) ^ 0xEDB88320;
        }

        return value;
    }
}
