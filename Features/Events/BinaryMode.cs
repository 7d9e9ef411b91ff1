using System.Globalization;
using System.Net.Mime;
using System.Text;
using System.Text.Unicode;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

/// <summary>Reads an event whose attributes are headers and whose data is the body (CloudEvents HTTP binding 1.0.2, section 3.1).</summary>
/// <remarks>
/// A body of a JSON type, or without any, is data as it is; text in UTF-8 becomes a JSON string; everything else is kept in base64 as
/// <c>data_base64</c>. An empty body is no data. The media type is kept as <c>datacontenttype</c>.
/// </remarks>
internal static class BinaryMode
{
    private const string Prefix = "ce-";

    public static bool IsMeant(IHeaderDictionary? headers) =>
        headers is not null && (headers.ContainsKey("ce-specversion") || headers.ContainsKey("ce-id"));

    public static Result<NewEvent> Read(EventRequest request, EventReceipt receipt)
    {
        var draft = new EventDraft(null);
        foreach (var (header, values) in request.Headers!)
        {
            if (!header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            var name = header[Prefix.Length..].ToLowerInvariant();
            if (values.Count != 1)
            {
                draft.Unreadable(name, "the header stands twice", "repeated_header");
            }
            else if (name is "datacontenttype" or "data")
            {
                draft.Unreadable(
                    name,
                    "the media type is told by Content-Type, the data is the body",
                    "unknown_header"
                );
            }
            else if (Decode(values[0]!) is { } value)
            {
                draft.Put(name, value);
            }
            else
            {
                draft.Unreadable(name, "the value is not percent-encoded UTF-8", "invalid_encoding");
            }
        }

        if (request.ContentType is { Length: > 0 } contentType)
        {
            draft.Put("datacontenttype", contentType);
        }

        return PutBody(draft, request) is { } fault
            ? CloudEventReader.Malformed(fault)
            : draft.ToEvent(receipt, mustBeCloudEvent: true);
    }

    private static FieldError? PutBody(EventDraft draft, EventRequest request)
    {
        var body = request.Body.Span;
        if (body.IsEmpty)
        {
            return null;
        }

        if (IsJson(request.MediaType))
        {
            if (StrictJson.Check(body) is { } fault)
            {
                return fault;
            }

            draft.PutData(body);
        }
        else if (IsUtf8Text(request) && Utf8.IsValid(body) && !body.Contains((byte)0))
        {
            draft.PutText(Encoding.UTF8.GetString(body), body.Length);
        }
        else
        {
            draft.PutBinaryData(Convert.ToBase64String(body));
        }

        return null;
    }

    // without a type the data is JSON, as in the JSON format
    private static bool IsJson(ReadOnlySpan<char> mediaType) =>
        mediaType.IsEmpty
        || mediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
        || mediaType.Equals("text/json", StringComparison.OrdinalIgnoreCase)
        || mediaType.EndsWith("+json", StringComparison.OrdinalIgnoreCase);

    private static bool IsUtf8Text(EventRequest request)
    {
        if (!request.MediaType.StartsWith("text/", StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        try
        {
            var charset = new ContentType(request.ContentType!).CharSet;
            return charset is null
                || charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase)
                || charset.Equals("us-ascii", StringComparison.OrdinalIgnoreCase);
        }
        catch (FormatException)
        {
            return false;
        }
    }

    /// <summary>A header's value as section 3.1.3.2 says: out of its quotes, then one percent-decoding. Null: it is not sound.</summary>
    private static string? Decode(string value)
    {
        if (value is ['"', .. var quoted])
        {
            if (Unquote(quoted) is not { } unquoted)
            {
                return null;
            }

            value = unquoted;
        }

        return value.Contains('%', StringComparison.Ordinal) ? PercentDecode(value) : value;
    }

    // the text behind the first quote: a backslash takes the next character as it is, the other quote ends it
    private static string? Unquote(string text)
    {
        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length; index++)
        {
            switch (text[index])
            {
                case '"':
                    return index == text.Length - 1 ? result.ToString() : null;
                case '\\' when index + 1 < text.Length:
                    result.Append(text[++index]);
                    break;
                default:
                    result.Append(text[index]);
                    break;
            }
        }

        return null;
    }

    private static string? PercentDecode(string text)
    {
        var source = Encoding.UTF8.GetBytes(text);
        var bytes = new byte[source.Length];
        var count = 0;
        for (var index = 0; index < source.Length; index++)
        {
            if (source[index] != '%')
            {
                bytes[count++] = source[index];
                continue;
            }

            if (
                index + 2 >= source.Length
                || !byte.TryParse(
                    source.AsSpan(index + 1, 2),
                    NumberStyles.AllowHexSpecifier,
                    CultureInfo.InvariantCulture,
                    out bytes[count++]
                )
            )
            {
                return null;
            }

            index += 2;
        }

        // overlong forms and halves of surrogate pairs are not UTF-8 and must be refused
        return Utf8.IsValid(bytes.AsSpan(0, count)) ? Encoding.UTF8.GetString(bytes, 0, count) : null;
    }
}
