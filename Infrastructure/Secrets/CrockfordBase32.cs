using System.Buffers.Binary;

namespace Bellhop.Infrastructure.Secrets;

/// <summary>UUIDs in the 26 lower-case characters of Crockford's base 32, in the order of their bytes.</summary>
/// <remarks>The text of a later UUIDv7 sorts after that of an earlier one. It holds no i, l, o or u.</remarks>
public static class CrockfordBase32
{
    /// <summary>The length of each text.</summary>
    public const int Length = 26;

    private const string Alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

    /// <summary>The UUID's 128 bits, most significant first; the first character holds three of them.</summary>
    public static string Encode(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var number = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        Span<char> text = stackalloc char[Length];
        for (var i = Length - 1; i >= 0; i--)
        {
            text[i] = Alphabet[(int)(number & 31)];
            number >>= 5;
        }

        return text.ToString();
    }

    /// <summary>Reads back what <see cref="Encode"/> wrote, and that spelling only.</summary>
    public static bool TryDecode(ReadOnlySpan<char> text, out Guid id)
    {
        id = default;
        // 26 characters hold 130 bits, so the first may use three of its five.
        if (text.Length != Length || text[0] > '7')
        {
            return false;
        }

        var number = UInt128.Zero;
        foreach (var character in text)
        {
            var digit = Alphabet.IndexOf(character, StringComparison.Ordinal);
            if (digit < 0)
            {
                return false;
            }

            number = (number << 5) | (uint)digit;
        }

        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, number);
        id = new Guid(bytes, bigEndian: true);
        return true;
    }
}
