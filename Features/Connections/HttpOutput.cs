using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections;

/// <summary>Writes an answer as the output of a step or the result of a job.</summary>
internal static class HttpOutput
{
    /// <summary>What a result may have, in characters of JSON.</summary>
    public const int MaxLength = 256 * 1024;

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public static string Write(int status, OutgoingResponse response, Mask mask)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(
            buffer,
            new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
        );
        json.WriteStartObject();
        json.WriteNumber("status", status);
        json.WriteStartObject("headers");
        foreach (var (name, value) in response.Headers)
        {
            json.WriteString(name.ToLowerInvariant(), mask.Apply(value));
        }

        json.WriteEndObject();
        WriteBody(json, response, mask);
        json.WriteEndObject();
        json.Flush();
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Bytes as text; null where they are none.</summary>
    public static string? TextOf(byte[] body)
    {
        try
        {
            var text = Strict.GetString(body);
            return text.Contains('\0', StringComparison.Ordinal) ? null : text; // which no database here could hold
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    /// <summary>The body without secrets, to be told in an error; empty where it is no text.</summary>
    public static string Tell(OutgoingResponse response, Mask mask)
    {
        if (!IsJson(response) || Parse(response.Body) is not { } parsed)
        {
            return mask.Apply(TextOf(response.Body) ?? "");
        }

        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(
            buffer,
            new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
        );
        mask.WriteTo(json, parsed);
        json.Flush();
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WriteBody(Utf8JsonWriter json, OutgoingResponse response, Mask mask)
    {
        json.WritePropertyName("body");
        if (response.Body.Length == 0)
        {
            json.WriteNullValue();
        }
        else if (IsJson(response) && Parse(response.Body) is { } parsed)
        {
            mask.WriteTo(json, parsed);
        }
        else if (TextOf(response.Body) is { } text)
        {
            json.WriteStringValue(mask.Apply(text));
        }
        else
        {
            json.WriteBase64StringValue(mask.Apply(response.Body));
            json.WriteString("body_encoding", "base64");
        }
    }

    private static bool IsJson(OutgoingResponse response)
    {
        var type = response.Headers.GetValueOrDefault("content-type", "").Split(';')[0].Trim();
        return type.Equals("application/json", StringComparison.OrdinalIgnoreCase)
            || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Null where the sender calls JSON what is none, or what could not be stored or read here: it is text then.</summary>
    private static JsonElement? Parse(byte[] body) => StrictJson.Check(body) is null ? JsonElement.Parse(body) : null;
}
