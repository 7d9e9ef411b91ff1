using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Bellhop.Infrastructure.Expressions;

public readonly partial struct Value
{
    private static readonly JsonWriterOptions AsReadable = new()
    {
        // the text is for a JSON document or a log, not for the inside of a page
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>
    /// Writes the value as JSON; false, and the output useless, once it is longer than <paramref name="maxBytes"/>.
    /// A short expression can name a value whose JSON would fill the disk.
    /// </summary>
    public bool TryWriteTo(Utf8JsonWriter writer, int maxBytes = Limits.OutputBytes)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (_json.ValueKind != JsonValueKind.Undefined)
        {
            var raw = JsonMarshal.GetRawUtf8Value(_json);
            return raw.Length <= maxBytes && Written(writer, maxBytes, raw);
        }

        switch (_kind)
        {
            case Kinds.None or Kinds.Null:
                writer.WriteNullValue();
                break;
            case Kinds.Bool:
                writer.WriteBooleanValue(_bits != 0);
                break;
            case Kinds.Int:
                writer.WriteNumberValue(_bits);
                break;
            case Kinds.Double:
                writer.WriteNumberValue(Double);
                break;
            case Kinds.String when Text().Length > maxBytes:
                return false;
            case Kinds.String:
                writer.WriteStringValue(Text());
                break;
            default:
                return TryWriteElementsTo(writer, maxBytes);
        }

        return Fits(writer, maxBytes);
    }

    /// <summary>
    /// How the value reads inside longer text: a string as it is, a number of a document as it is written there, lists
    /// and maps as JSON; null where that is longer than <paramref name="maxBytes"/>.
    /// </summary>
    public string? ToText(int maxBytes = Limits.OutputBytes) =>
        Kind switch
        {
            _ when TextLength > maxBytes => null,
            Kinds.String => Text(),
            Kinds.Int or Kinds.Double when _json.ValueKind == JsonValueKind.Number => _json.GetRawText(),
            Kinds.Int => _bits.ToString(CultureInfo.InvariantCulture),
            Kinds.Double => Double.ToString("R", CultureInfo.InvariantCulture),
            Kinds.Bool => _bits != 0 ? "true" : "false",
            Kinds.Null => "null",
            _ => ToJsonText(maxBytes),
        };

    public override string ToString() => IsError ? Error.ToString() : ToText() ?? $"{Kind.Describe()} too long to show";

    private string? ToJsonText(int maxBytes)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer, AsReadable);
        if (!TryWriteTo(writer, maxBytes))
        {
            return null;
        }

        writer.Flush();
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private bool TryWriteElementsTo(Utf8JsonWriter writer, int maxBytes)
    {
        var isMap = _kind == Kinds.Map;
        if (isMap)
        {
            writer.WriteStartObject();
        }
        else
        {
            writer.WriteStartArray();
        }

        for (var elements = GetElements(); elements.MoveNext(); )
        {
            if (isMap)
            {
                writer.WritePropertyName(elements.Key);
            }

            if (!elements.Item.TryWriteTo(writer, maxBytes))
            {
                return false;
            }
        }

        if (isMap)
        {
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteEndArray();
        }

        return Fits(writer, maxBytes);
    }

    private static bool Written(Utf8JsonWriter writer, int maxBytes, ReadOnlySpan<byte> raw)
    {
        writer.WriteRawValue(raw, skipInputValidation: true);
        return Fits(writer, maxBytes);
    }

    private static bool Fits(Utf8JsonWriter writer, int maxBytes) =>
        writer.BytesCommitted + writer.BytesPending <= maxBytes;
}
