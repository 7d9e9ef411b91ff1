using System.Buffers.Text;
using System.Collections.Frozen;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Reads another issuer's set of keys (RFC 7517): only public ones for signatures, and of each only what verifies.</summary>
/// <remarks>RSA of 2,048 bits at least, and P-256. What else stands there, such as symmetric keys, is passed over.</remarks>
internal static class ForeignKeys
{
    public const int MaxKeys = 100;

    private const int MinModulusBytes = 256;
    private const int MaxModulusBytes = 1_024;
    private const int CoordinateBytes = 32;

    /// <summary>By their ids; null: that is no set of keys.</summary>
    public static FrozenDictionary<string, JsonWebKey>? Read(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 16 });
            if (
                document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("keys", out var keys)
                || keys.ValueKind != JsonValueKind.Array
            )
            {
                return null;
            }

            var read = new Dictionary<string, JsonWebKey>(StringComparer.Ordinal);
            foreach (var key in keys.EnumerateArray().Take(MaxKeys))
            {
                if (ReadKey(key) is { } sound)
                {
                    read.TryAdd(sound.Kid ?? "", sound);
                }
            }

            return read.ToFrozenDictionary(StringComparer.Ordinal);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static JsonWebKey? ReadKey(JsonElement key)
    {
        if (key.ValueKind != JsonValueKind.Object || Text(key, "use") is not (null or JsonWebKeyUseNames.Sig))
        {
            return null;
        }

        // a copy of the public numbers and of nothing else
        var copy = new JsonWebKey
        {
            Kid = Text(key, "kid"),
            Kty = Text(key, "kty"),
            Alg = Text(key, "alg"),
        };
        switch (copy.Kty)
        {
            case JsonWebAlgorithmsKeyTypes.RSA
                when Bytes(Text(key, "n")) is >= MinModulusBytes and <= MaxModulusBytes
                    && Bytes(Text(key, "e")) is >= 1 and <= 8:
                (copy.N, copy.E) = (Text(key, "n"), Text(key, "e"));
                return copy;
            case JsonWebAlgorithmsKeyTypes.EllipticCurve
                when Text(key, "crv") == JsonWebKeyECTypes.P256
                    && Bytes(Text(key, "x")) == CoordinateBytes
                    && Bytes(Text(key, "y")) == CoordinateBytes:
                (copy.Crv, copy.X, copy.Y) = (JsonWebKeyECTypes.P256, Text(key, "x"), Text(key, "y"));
                return copy;
            default:
                return null;
        }
    }

    private static string? Text(JsonElement key, string name) =>
        key.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int Bytes(string? text) => text is not null && Base64Url.IsValid(text, out var length) ? length : -1;
}
