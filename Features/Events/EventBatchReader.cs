using System.Globalization;
using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

/// <summary>Reads many events out of a request: <c>{"events":[…]}</c>, or a batch of CloudEvents (JSON format 1.0.2 section 4).</summary>
/// <remarks>What is wrong with one event is that event's own fault; only a body that is not a list of 1,000 at most is refused whole.</remarks>
public static class EventBatchReader
{
    public const int MaxEvents = 1_000;

    private const string Member = "events";

    /// <summary>One result an event, in the order of the body. Ids ascend in that order.</summary>
    public static Result<List<Result<NewEvent>>> Read(EventRequest request, EventReceipt receipt)
    {
        var isCloudEvents = request.Is(CloudEventReader.BatchType);
        if (!isCloudEvents && !request.Is("application/json"))
        {
            return Problems.WrongContentType($"Send application/json or {CloudEventReader.BatchType}.");
        }

        // deep enough for the reader to pass over what StrictJson will refuse in an event
        var reader = new Utf8JsonReader(request.Body.Span, new JsonReaderOptions { MaxDepth = 1_000 });
        try
        {
            return isCloudEvents
                ? ReadList(ref reader, request.Body.Span, receipt, "")
                : ReadWrapped(ref reader, request.Body.Span, receipt);
        }
        catch (JsonException exception)
        {
            var place = string.Create(
                CultureInfo.InvariantCulture,
                $"line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1}"
            );
            return Malformed("", "malformed_json", $"Not JSON at {place}.");
        }
    }

    private static Result<List<Result<NewEvent>>> ReadWrapped(
        ref Utf8JsonReader reader,
        ReadOnlySpan<byte> json,
        EventReceipt receipt
    )
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Malformed("", "wrong_type", "The body is an object with the list events.");
        }

        Result<List<Result<NewEvent>>>? events = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!IsMember(ref reader))
            {
                // an escaped name may be no text at all: then the body is pointed at
                var name = Encoding.UTF8.GetString(reader.ValueSpan);
                var place = reader.ValueIsEscaped ? "" : $"/{StrictJson.Escape(name)}";
                return Malformed(place, "unknown_member", "The body has one member, events.");
            }

            if (events is not null)
            {
                return Malformed($"/{Member}", "duplicate_key", "The key stands twice in one object.");
            }

            events = ReadList(ref reader, json, receipt, $"/{Member}");
            if (events.Value.Problem is not null)
            {
                return events.Value;
            }
        }

        reader.Read(); // anything behind the end is not JSON
        return events ?? Malformed("", "required", "The list events is required.");
    }

    private static Result<List<Result<NewEvent>>> ReadList(
        ref Utf8JsonReader reader,
        ReadOnlySpan<byte> json,
        EventReceipt receipt,
        string pointer
    )
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return Malformed(pointer, "wrong_type", "The events are a list.");
        }

        var events = new List<Result<NewEvent>>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (events.Count == MaxEvents)
            {
                var message = $"A request may bring {MaxEvents} events at most.";
                return Problems.TooLarge.Because(message, FieldError.At(pointer, "too_large", message));
            }

            var item = CloudEventReader.Slice(ref reader, json);
            var itemPointer = string.Create(CultureInfo.InvariantCulture, $"{pointer}/{events.Count}");
            events.Add(
                CloudEventReader.ReadObject(
                    item,
                    receipt.Nth(events.Count),
                    itemPointer,
                    mustBeCloudEvent: pointer.Length == 0
                )
            );
        }

        if (pointer.Length == 0)
        {
            reader.Read(); // anything behind the end is not JSON
        }

        return events;
    }

    private static bool IsMember(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.ValueTextEquals(Member);
        }
        catch (InvalidOperationException)
        {
            return false; // an escaped half of a surrogate pair
        }
    }

    private static Problem Malformed(string pointer, string code, string message) =>
        CloudEventReader.Malformed(FieldError.At(pointer, code, message));
}
