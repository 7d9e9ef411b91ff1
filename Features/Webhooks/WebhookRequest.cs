using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Bellhop.Infrastructure.Outgoing;
using Bellhop.Infrastructure.Telemetry;

namespace Bellhop.Features.Webhooks;

/// <summary>Makes the request of one attempt: the event as JSON, signed anew with the moment of sending.</summary>
internal static class WebhookRequest
{
    private static readonly string UserAgent = $"Bellhop/{BuildInfo.Version}";

    public static OutgoingRequest Of(
        TakenDelivery delivery,
        string url,
        IReadOnlyList<byte[]> keys,
        DateTimeOffset moment
    )
    {
        var id = $"{delivery.Id}";
        var body = BodyOf(delivery);
        var timestamp = moment.ToUnixTimeSeconds();
        return new OutgoingRequest(HttpMethod.Post, url)
        {
            Headers =
            [
                new("content-type", "application/json"),
                new("user-agent", UserAgent),
                new("webhook-id", id),
                new("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture)),
                new("webhook-signature", Signature.Sign(id, timestamp, body.Span, keys)),
                new("webhook-sequence", delivery.Sequence.ToString(CultureInfo.InvariantCulture)),
            ],
            Body = body,
            PropagateTrace = true,
        };
    }

    /// <summary>The same bytes at every attempt: the data stands in it as it was received.</summary>
    private static ReadOnlyMemory<byte> BodyOf(TakenDelivery delivery)
    {
        var buffer = new ArrayBufferWriter<byte>(256 + (delivery.Data?.Length ?? 0));
        using var json = new Utf8JsonWriter(
            buffer,
            new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
        );
        json.WriteStartObject();
        json.WriteString("id", delivery.EventId);
        json.WriteString("type", delivery.Type);
        json.WriteString("source", delivery.Source);
        json.WriteString("subject", delivery.Subject);
        json.WriteString(
            "timestamp",
            delivery.Timestamp.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)
        );
        json.WritePropertyName("data");
        json.WriteRawValue(delivery.Data ?? "null", skipInputValidation: true);
        if (delivery.DataBase64 is { } binary)
        {
            json.WriteString("data_base64", binary);
        }

        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }
}
