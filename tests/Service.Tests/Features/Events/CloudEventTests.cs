using System.Net.Mime;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Http;
using CloudNative.CloudEvents;
using CloudNative.CloudEvents.SystemTextJson;
using CsCheck;
using Microsoft.AspNetCore.Http;
using Xunit;
using Ours = Bellhop.Features.Events.CloudEvent;
using Theirs = CloudNative.CloudEvents.CloudEvent;

namespace Bellhop.Tests.Features.Events;

/// <summary>What is written, and that the SDK of the CloudEvents project understands the same by it.</summary>
public sealed class CloudEventTests
{
    private static readonly EventReceipt Receipt = new(Guid.NewGuid(), Guid.CreateVersion7(), DateTime.UnixEpoch, null);
    private static readonly JsonEventFormatter Sdk = new();

    [Fact]
    public void The_structured_form_has_its_members_in_the_order_of_the_specification()
    {
        var written = Write(
            new Ours(
                "1",
                "shop",
                "t",
                "42",
                new DateTime(2026, 1, 31, 9, 30, 0, 120, DateTimeKind.Utc),
                """{"ext":"é","n":1}""",
                """{"a":1.50}"""
            )
        );

        Assert.Equal(
            """{"specversion":"1.0","id":"1","source":"shop","type":"t","subject":"42","time":"2026-01-31T09:30:00.12Z","ext":"é","n":1,"data":{"a":1.50}}""",
            written
        );
    }

    [Fact]
    public void What_is_not_there_is_not_written() =>
        Assert.Equal(
            """{"specversion":"1.0","id":"1","source":"s","type":"t"}""",
            Write(new Ours("1", "s", "t", null, null, null, null))
        );

    [Theory]
    [InlineData("""{"a":"b"}""", """{"a":"b"}""")]
    [InlineData("""{"data_base64":"AAEC"}""", "{}")]
    [InlineData("""{"a":"é","data_base64":"AAEC"}""", """{"a":"é"}""")]
    [InlineData(null, null)]
    public void Without_its_data_an_event_has_neither_kind_of_it(string? attributes, string? left)
    {
        var bare = new Ours("1", "s", "t", null, null, attributes, "1").WithoutData();

        Assert.Null(bare.Data);
        Assert.Equal(left, bare.Attributes);
    }

    [Fact]
    public void An_answer_holds_the_event_itself() =>
        Assert.Equal(
            """{"specversion":"1.0","id":"1","source":"s","type":"t","data":7}""",
            JsonSerializer.Serialize(new Ours("1", "s", "t", null, null, null, "7"), JsonRules.Options)
        );

    [Fact]
    public void What_the_sdk_writes_is_read_and_written_back_the_same() =>
        SdkEvents.Sample(sent =>
        {
            var structured = Sdk.EncodeStructuredModeMessage(sent, out var contentType);
            var taken = CloudEventReader.Read(new EventRequest(structured, contentType.ToString()), Receipt).Unwrap();
            var received = Sdk.DecodeStructuredModeMessage(
                Encoding.UTF8.GetBytes(Write(Ours.Of(taken))),
                new ContentType(CloudEventReader.StructuredType),
                []
            );

            AssertSame(sent, received);
        });

    [Fact]
    public void What_the_sdk_writes_in_binary_mode_is_read_the_same() =>
        SdkEvents.Sample(sent =>
        {
            var headers = new HeaderDictionary { ["ce-specversion"] = "1.0" };
            foreach (var (attribute, value) in sent.GetPopulatedAttributes())
            {
                if (attribute.Name != "datacontenttype")
                {
                    headers[$"ce-{attribute.Name}"] = PercentEncode(attribute.Format(value));
                }
            }

            var body = Sdk.EncodeBinaryModeEventData(sent);
            var request = new EventRequest(body, sent.DataContentType, headers);
            var received = Sdk.DecodeStructuredModeMessage(
                Encoding.UTF8.GetBytes(Write(Ours.Of(CloudEventReader.Read(request, Receipt).Unwrap()))),
                new ContentType(CloudEventReader.StructuredType),
                []
            );

            AssertSame(sent, received, body.IsEmpty);
        });

    private static readonly Gen<string> Texts = Gen.String[Gen.Char[' ', '~'], 1, 40]
        .Where(text => text.Trim().Length > 0);

    private static readonly Gen<Theirs> SdkEvents = Gen.Select(
        Texts,
        Texts,
        Gen.DateTime[new DateTime(1990, 1, 1), new DateTime(2100, 1, 1)],
        Gen.Int[0, 4],
        Gen.Bool,
        (id, subject, time, kind, extended) =>
        {
            var made = new Theirs
            {
                Id = id,
                Source = new Uri("/shop/eu%20west", UriKind.RelativeOrAbsolute),
                Type = "ticket.created",
                Subject = subject,
                // as PostgreSQL keeps it
                Time = new DateTimeOffset(time.Ticks / 10 * 10, TimeSpan.Zero),
            };
            (made.DataContentType, made.Data) = kind switch
            {
                0 => ("application/json", (object?)new { text = subject, number = 1.5 }),
                1 => ("application/json", subject),
                2 => ("text/plain", subject),
                3 => ("application/octet-stream", Encoding.UTF8.GetBytes(subject)),
                _ => (null, null),
            };
            if (extended)
            {
                made[CloudEventAttribute.CreateExtension("partitionkey", CloudEventAttributeType.String)] = subject;
            }

            return made;
        }
    );

    private static void AssertSame(Theirs sent, Theirs received, bool withoutData = false)
    {
        Assert.Equal(sent.Id, received.Id);
        Assert.Equal(sent.Source, received.Source);
        Assert.Equal(sent.Type, received.Type);
        Assert.Equal(sent.Subject, received.Subject);
        Assert.Equal(sent.Time, received.Time);
        Assert.Equal(sent.DataContentType, received.DataContentType);
        Assert.Equal(sent["partitionkey"], received["partitionkey"]);
        if (!withoutData)
        {
            Assert.Equal(Data(sent), Data(received));
        }
    }

    private static string? Data(Theirs cloudEvent) =>
        cloudEvent.Data switch
        {
            null => null,
            byte[] bytes => Convert.ToBase64String(bytes),
            JsonElement json => JsonSerializer.Serialize(json),
            var value => JsonSerializer.Serialize(value),
        };

    private static string PercentEncode(string value)
    {
        var encoded = new StringBuilder();
        foreach (var one in Encoding.UTF8.GetBytes(value))
        {
            encoded.Append(one is <= 0x20 or (byte)'"' or (byte)'%' or >= 0x7F ? $"%{one:X2}" : ((char)one).ToString());
        }

        return encoded.ToString();
    }

    private static string Write(Ours cloudEvent) => JsonSerializer.Serialize(cloudEvent, JsonRules.Options);
}
