using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Bellhop.Features.Connections;

/// <summary>Keeps secrets out of what is stored of an exchange: an answer may well repeat what it was sent.</summary>
internal sealed class Mask(IEnumerable<string> secrets)
{
    private const string Masked = "***";

    // the longest first, or a part of it would leave the rest
    private readonly string[] _secrets =
    [
        .. secrets
            .SelectMany(Spellings)
            .Where(secret => secret.Length > 0)
            .Distinct()
            .OrderByDescending(secret => secret.Length),
    ];

    public string Apply(string text)
    {
        foreach (var secret in _secrets)
        {
            text = text.Replace(secret, Masked, StringComparison.Ordinal);
        }

        return text;
    }

    /// <summary>The same for a text that may have been cut, maybe within a secret: then it ends with <c>…</c>.</summary>
    public string ApplyToCut(string text)
    {
        var masked = Apply(text);
        if (!masked.EndsWith('…'))
        {
            return masked;
        }

        var told = masked[..^1];
        foreach (var secret in _secrets)
        {
            for (var length = Math.Min(secret.Length - 1, told.Length); length > 0; length--)
            {
                if (told.EndsWith(secret[..length], StringComparison.Ordinal))
                {
                    return $"{told[..^length]}{Masked}…";
                }
            }
        }

        return masked;
    }

    /// <summary>The same in bytes that are no text.</summary>
    public byte[] Apply(byte[] bytes)
    {
        var text = Encoding.Latin1.GetString(bytes); // a character for each byte, and back
        foreach (var secret in _secrets)
        {
            text = text.Replace(
                Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(secret)),
                Masked,
                StringComparison.Ordinal
            );
        }

        return Encoding.Latin1.GetBytes(text);
    }

    // text that is not read as JSON or as a URL may hold a piece of either
    private static IEnumerable<string> Spellings(string secret) =>
        [
            secret,
            JavaScriptEncoder.Default.Encode(secret),
            JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(secret),
            Uri.EscapeDataString(secret),
            WebUtility.UrlEncode(secret),
        ];

    /// <summary>Writes JSON with its texts and names masked, whatever way they are escaped.</summary>
    public void WriteTo(Utf8JsonWriter json, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object when _secrets.Length > 0:
                json.WriteStartObject();
                foreach (var member in value.EnumerateObject())
                {
                    json.WritePropertyName(Apply(member.Name));
                    WriteTo(json, member.Value);
                }

                json.WriteEndObject();
                break;
            case JsonValueKind.Array when _secrets.Length > 0:
                json.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                {
                    WriteTo(json, item);
                }

                json.WriteEndArray();
                break;
            case JsonValueKind.String:
                json.WriteStringValue(Apply(value.GetString()!));
                break;
            case JsonValueKind.Number when _secrets.Contains(value.GetRawText()):
                json.WriteStringValue(Masked);
                break;
            default:
                value.WriteTo(json);
                break;
        }
    }
}
