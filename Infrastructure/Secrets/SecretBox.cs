using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Bellhop.Infrastructure.Secrets;

/// <summary>Where a sealed value stands. It opens there and nowhere else.</summary>
/// <param name="ProjectId">The row's project; <see cref="Guid.Empty"/> for a row of the whole installation.</param>
/// <param name="Table">The table's name.</param>
/// <param name="Column">The column's name.</param>
/// <param name="Id">The row's own key as text; the last part, so it may hold any character.</param>
public readonly record struct AssociatedData(Guid ProjectId, string Table, string Column, string Id)
{
    public override string ToString() => $"{Table}.{Column} of {Id}";

    internal byte[] ToBytes() =>
        Table.Contains('|', StringComparison.Ordinal) || Column.Contains('|', StringComparison.Ordinal)
            ? throw new InvalidOperationException("A '|' in a table's or column's name makes two places look the same.")
            : Encoding.UTF8.GetBytes($"{ProjectId:d}|{Table}|{Column}|{Id}");
}

/// <summary>Why a sealed value did not open.</summary>
public enum OpenFailure
{
    /// <summary>The text is not a sealed value of a version this service knows.</summary>
    Malformed = 1,

    /// <summary>The key that sealed it is not in the key ring.</summary>
    UnknownKey = 2,

    /// <summary>It was changed, or stands in another row than the one it was sealed for.</summary>
    Tampered = 3,
}

/// <summary>An opened value, or why there is none. Its text form never shows the value.</summary>
public readonly struct OpenedSecret
{
    private readonly byte[]? _bytes;

    internal OpenedSecret(byte[] bytes) => _bytes = bytes;

    internal OpenedSecret(OpenFailure failure) => Failure = failure;

    /// <summary>Why it did not open; null when it did.</summary>
    public OpenFailure? Failure { get; }

    /// <summary>The value, when it opened.</summary>
    public bool TryGetBytes([NotNullWhen(true)] out byte[]? bytes) => (bytes = _bytes) is not null;

    /// <summary>The value as UTF-8 text, when it opened.</summary>
    public bool TryGetText([NotNullWhen(true)] out string? text) =>
        (text = _bytes is null ? null : Encoding.UTF8.GetString(_bytes)) is not null;

    /// <summary>Whether it opened, and why not.</summary>
    public override string ToString() => Failure?.ToString() ?? "opened";
}

/// <summary>Encrypts values for columns and decrypts them again.</summary>
/// <remarks>
/// AES-256-GCM under the ring's active key with a random 96-bit nonce: sealing the same value twice gives two texts.
/// The text is <c>v1.kid.nonce.ciphertext+tag</c>, the last two base64url. It is bound to its
/// <see cref="AssociatedData"/>, so a value copied to another row, column or project does not open. Up to 2^32 values
/// may be sealed under one key (NIST SP 800-38D 8.3). Safe for use by many threads.
/// </remarks>
public sealed class SecretBox(KeyRing ring)
{
    private const string Version = "v1";
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    /// <summary>Seals text as its UTF-8 bytes.</summary>
    public string Seal(string plaintext, AssociatedData place) => Seal(Encoding.UTF8.GetBytes(plaintext), place);

    /// <summary>Seals bytes.</summary>
    public string Seal(ReadOnlySpan<byte> plaintext, AssociatedData place)
    {
        Span<byte> nonce = stackalloc byte[NonceBytes];
        RandomNumberGenerator.Fill(nonce);
        var sealedBytes = new byte[plaintext.Length + TagBytes];
        using var cipher = new AesGcm(ring.Active.Bytes, TagBytes);
        cipher.Encrypt(
            nonce,
            plaintext,
            sealedBytes.AsSpan(0, plaintext.Length),
            sealedBytes.AsSpan(plaintext.Length),
            place.ToBytes()
        );
        return $"{Version}.{ring.Active.Id}.{Base64Url.EncodeToString(nonce)}.{Base64Url.EncodeToString(sealedBytes)}";
    }

    /// <summary>Opens what <see cref="Seal(string, AssociatedData)"/> made for the same place.</summary>
    public OpenedSecret Open(string sealedText, AssociatedData place)
    {
        var parts = sealedText.Split('.');
        if (
            parts is not [Version, var kid, var nonceText, var bodyText]
            || !TryDecode(nonceText, out var nonce)
            || nonce.Length != NonceBytes
            || !TryDecode(bodyText, out var body)
            || body.Length < TagBytes
        )
        {
            return new OpenedSecret(OpenFailure.Malformed);
        }

        if (ring.Find(kid) is not { } key)
        {
            return new OpenedSecret(OpenFailure.UnknownKey);
        }

        var plaintext = new byte[body.Length - TagBytes];
        try
        {
            using var cipher = new AesGcm(key.Bytes, TagBytes);
            cipher.Decrypt(nonce, body.AsSpan(..^TagBytes), body.AsSpan(^TagBytes..), plaintext, place.ToBytes());
            return new OpenedSecret(plaintext);
        }
        catch (AuthenticationTagMismatchException)
        {
            return new OpenedSecret(OpenFailure.Tampered);
        }
    }

    /// <summary>Opens text that must open: this service sealed it, and whoever reads it cannot go on without.</summary>
    /// <exception cref="SealedValueException">It does not; the message names the row and the reason.</exception>
    public string OpenText(string sealedText, AssociatedData place)
    {
        var opened = Open(sealedText, place);
        return opened.TryGetText(out var text) ? text : throw new SealedValueException(place, opened.Failure!.Value);
    }

    /// <summary>The id of the key that sealed the text, or null when it is not a sealed value.</summary>
    public static string? KeyIdOf(string sealedText) => sealedText.Split('.') is [Version, var kid, _, _] ? kid : null;

    private static bool TryDecode(string text, out byte[] bytes)
    {
        bytes = [];
        if (!Base64Url.IsValid(text))
        {
            return false;
        }

        try
        {
            bytes = Base64Url.DecodeFromChars(text);
            return true;
        }
        catch (FormatException)
        {
            // valid characters, but bits behind the last byte
            return false;
        }
    }
}

/// <summary>A stored value does not open: a fault of the installation, or somebody changed the row. Names the row, never a value.</summary>
public sealed class SealedValueException(AssociatedData place, OpenFailure failure)
    : Exception(
        $"The sealed value {place} does not open: "
            + failure switch
            {
                OpenFailure.UnknownKey => "the key that sealed it is not in the key ring.",
                OpenFailure.Tampered => "it was changed, or belongs to another row.",
                _ => "it is not a sealed value.",
            }
    )
{
    public OpenFailure Failure { get; } = failure;
}
