using System.Text.Json;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

/// <summary>Reads an event out of a request: a plain one, or a CloudEvent 1.0.2 in structured or binary mode.</summary>
/// <remarks>
/// <para>Plain is <c>{type, source, subject?, id?, time?, data?}</c> and nothing else; without an id it takes ours, and a repetition
/// of the request is a second event. With <c>specversion</c> the body is a CloudEvent: it must have an id, and may have extension
/// attributes of text, truth values and 32-bit numbers. An attribute that is null is not there; data that is null is data.</para>
/// <para>Data is kept as it was received, to the digit. JSON is read strictly (<see cref="StrictJson"/>).</para>
/// </remarks>
public static class CloudEventReader
{
    public const string StructuredType = "application/cloudevents+json";
    public const string BatchType = "application/cloudevents-batch+json";

    /// <summary>Reads one event. The mode is chosen as the HTTP binding 1.0.2 section 3 says: by the media type, then by ce- headers.</summary>
    public static Result<NewEvent> Read(EventRequest request, EventReceipt receipt)
    {
        if (request.Is(StructuredType))
        {
            return ReadObject(request.Body.Span, receipt, "", mustBeCloudEvent: true);
        }

        if (request.MediaType.StartsWith("application/cloudevents", StringComparison.OrdinalIgnoreCase))
        {
            return Problems.WrongContentType(
                request.Is(BatchType)
                    ? "Send batches to /v1/events/batch."
                    : $"Of the formats of CloudEvents, {StructuredType} is read."
            );
        }

        if (BinaryMode.IsMeant(request.Headers))
        {
            return BinaryMode.Read(request, receipt);
        }

        return request.Is("application/json")
            ? ReadObject(request.Body.Span, receipt, "", mustBeCloudEvent: false)
            : Problems.WrongContentType(
                $"Send application/json, {StructuredType}, or any type with the headers ce-id, ce-source, ce-type and ce-specversion."
            );
    }

    /// <summary>Reads one event that is a JSON object.</summary>
    /// <param name="pointer">Where it stands in the body.</param>
    internal static Result<NewEvent> ReadObject(
        ReadOnlySpan<byte> json,
        EventReceipt receipt,
        string pointer,
        bool mustBeCloudEvent
    )
    {
        if (json.IsEmpty)
        {
            return Malformed(FieldError.At(pointer, "empty_body", "A JSON body is required."));
        }

        if (StrictJson.Check(json) is { } fault)
        {
            return Malformed(fault with { Pointer = pointer + fault.Pointer });
        }

        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = JsonRules.MaxDepth });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Malformed(FieldError.At(pointer, "wrong_type", "An event is a JSON object."));
        }

        var draft = new EventDraft(pointer);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadMember(ref reader, json, draft);
        }

        return draft.ToEvent(receipt, mustBeCloudEvent);
    }

    internal static Problem Malformed(FieldError fault) => Problems.MalformedBody.Because(fault.Message, fault);

    private static void ReadMember(ref Utf8JsonReader reader, ReadOnlySpan<byte> json, EventDraft draft)
    {
        if (reader.ValueTextEquals("data"u8))
        {
            reader.Read();
            draft.PutData(Slice(ref reader, json));
            return;
        }

        var name = reader.GetString()!;
        reader.Read();
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                draft.PutNothing(name);
                break;
            case JsonTokenType.String when name == CloudEvent.BinaryData:
                draft.PutBinaryData(reader.GetString()!);
                break;
            case JsonTokenType.String:
                draft.Put(name, reader.GetString()!);
                break;
            case JsonTokenType.True or JsonTokenType.False:
                draft.PutLiteral(name, reader.GetBoolean() ? "true" : "false");
                break;
            case JsonTokenType.Number when reader.TryGetInt32(out var number):
                draft.PutLiteral(name, JsonSerializer.Serialize(number));
                break;
            default:
                draft.PutUnfit(name);
                reader.Skip();
                break;
        }
    }

    /// <summary>The text of the value the reader stands on, as received; the reader then stands on its end.</summary>
    internal static ReadOnlySpan<byte> Slice(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return json[start..(int)reader.BytesConsumed];
    }
}
