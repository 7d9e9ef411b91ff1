using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

/// <summary>An event as the outside sees it: a CloudEvent 1.0.2 in its JSON format.</summary>
/// <param name="Attributes">A JSON object with every attribute that has no parameter here, and <c>data_base64</c>.</param>
/// <param name="Data">JSON text as it was received; null: none.</param>
[JsonConverter(typeof(CloudEventConverter))]
[CloudEventShape]
public sealed record CloudEvent(
    string Id,
    string Source,
    string Type,
    string? Subject,
    DateTime? Time,
    string? Attributes,
    string? Data
) : IExampled<CloudEvent>
{
    public static CloudEvent Example =>
        new(
            "ticket-7",
            "shop",
            "ticket.created",
            "orders/1042",
            Story.At,
            null,
            """{"ticket":7,"order":1042,"text":"The parcel did not arrive."}"""
        );

    /// <summary>Where data that is neither JSON nor text stands (JSON format 3.1.1); no attribute may have an underscore.</summary>
    internal const string BinaryData = "data_base64";

    public static CloudEvent Of(NewEvent newEvent) =>
        new(
            newEvent.EventId,
            newEvent.Source,
            newEvent.Type,
            newEvent.Subject,
            newEvent.Time,
            newEvent.Attributes,
            newEvent.Data
        );

    /// <summary>The event for those who may know that it happened, but not what was sent along.</summary>
    public CloudEvent WithoutData() =>
        this with
        {
            Data = null,
            Attributes =
                Attributes?.Contains(BinaryData, StringComparison.Ordinal) == true
                    ? WithoutBinaryData(Attributes)
                    : Attributes,
        };

    /// <summary>Writes the structured form: the attributes in the order of the specification, then the data as received.</summary>
    public void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("specversion"u8, "1.0"u8);
        writer.WriteString("id"u8, Id);
        writer.WriteString("source"u8, Source);
        writer.WriteString("type"u8, Type);
        if (Subject is not null)
        {
            writer.WriteString("subject"u8, Subject);
        }

        if (Time is { } time)
        {
            // up to the microseconds that are stored, without idle zeros
            writer.WriteString(
                "time"u8,
                time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture)
            );
        }

        if (Attributes is not null)
        {
            CopyMembers(Attributes, writer, except: null);
        }

        if (Data is not null)
        {
            writer.WritePropertyName("data"u8);
            writer.WriteRawValue(Data, skipInputValidation: true);
        }

        writer.WriteEndObject();
    }

    private static string? WithoutBinaryData(string attributes)
    {
        using var buffer = new MemoryStream();
        using (
            var writer = new Utf8JsonWriter(
                buffer,
                new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
            )
        )
        {
            writer.WriteStartObject();
            CopyMembers(attributes, writer, BinaryData);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }

    private static void CopyMembers(string json, Utf8JsonWriter writer, string? except)
    {
        ReadOnlySpan<byte> bytes = Encoding.UTF8.GetBytes(json);
        var reader = new Utf8JsonReader(bytes);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name != except)
            {
                writer.WritePropertyName(name);
                writer.WriteRawValue(
                    bytes[(int)reader.TokenStartIndex..(int)reader.BytesConsumed],
                    skipInputValidation: true
                );
            }
        }
    }
}

/// <summary>Lets answers hold a <see cref="CloudEvent"/>; requests are read by <see cref="CloudEventReader"/>.</summary>
internal sealed class CloudEventConverter : JsonConverter<CloudEvent>
{
    public override CloudEvent Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("Events that come in are read by CloudEventReader.");

    public override void Write(Utf8JsonWriter writer, CloudEvent value, JsonSerializerOptions options) =>
        value.WriteTo(writer);
}
