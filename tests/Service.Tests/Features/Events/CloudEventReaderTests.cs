using System.Text;
using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Http;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class CloudEventReaderTests
{
    private static readonly EventReceipt Receipt = new(
        Guid.NewGuid(),
        Guid.CreateVersion7(),
        new DateTime(2026, 1, 31, 9, 30, 0, DateTimeKind.Utc),
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    );

    [Fact]
    public void A_plain_event_is_taken_with_its_data_to_the_digit()
    {
        var taken = Take(
            """{"type":"ticket.created", "source":"shop","id":"7","subject":"42","time":"2026-01-31T10:30:00.5+01:00","data": {"b":1.50, "a":1e3} }"""
        );

        Assert.Equal("ticket.created", taken.Type);
        Assert.Equal("shop", taken.Source);
        Assert.Equal("7", taken.EventId);
        Assert.Equal("42", taken.Subject);
        Assert.Equal(new DateTime(2026, 1, 31, 9, 30, 0, 500, DateTimeKind.Utc), taken.Time);
        Assert.Equal("""{"b":1.50, "a":1e3}""", taken.Data);
        Assert.Null(taken.Attributes);
        Assert.Equal(Receipt.ProjectId, taken.ProjectId);
        Assert.Equal(Receipt.Id, taken.Id);
        Assert.Equal(Receipt.ReceivedAt, taken.ReceivedAt);
        Assert.Equal(Receipt.TraceParent, taken.TraceParent);
    }

    [Fact]
    public void A_plain_event_without_id_takes_ours() =>
        Assert.Equal(Receipt.Id.ToString(), Take("""{"type":"t","source":"s","id":null}""").EventId);

    [Theory]
    [InlineData("""{"type":"t","source":"s"}""", null)]
    [InlineData("""{"type":"t","source":"s","data":null}""", "null")]
    [InlineData("""{"type":"t","source":"s","data":"x"}""", "\"x\"")]
    [InlineData("""{"type":"t","source":"s","data":[ 1 , 2 ]}""", "[ 1 , 2 ]")]
    [InlineData("""{"data":0.10,"type":"t","source":"s"}""", "0.10")]
    public void Data_is_any_json_and_null_is_data(string body, string? data) => Assert.Equal(data, Take(body).Data);

    [Fact]
    public void A_cloud_event_keeps_its_other_attributes_as_received()
    {
        var taken = Take(
            """{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"application/json","sampled":true,"n":-7,"trace":"a\"b","gone":null,"data":1}""",
            "application/cloudevents+json; charset=utf-8"
        );

        Assert.Equal(
            """{"datacontenttype":"application/json","sampled":true,"n":-7,"trace":"a\"b"}""",
            taken.Attributes
        );
        Assert.Equal("1", taken.Data);
    }

    [Fact]
    public void Binary_data_is_kept_beside_the_attributes()
    {
        var alone = Take("""{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"AAEC"}""");
        var beside = Take("""{"specversion":"1.0","id":"1","source":"s","type":"t","a":"b","data_base64":"AAEC"}""");

        Assert.Equal("""{"data_base64":"AAEC"}""", alone.Attributes);
        Assert.Equal("""{"a":"b","data_base64":"AAEC"}""", beside.Attributes);
        Assert.Null(alone.Data);
    }

    [Theory]
    [InlineData("", 400, "", "empty_body")]
    [InlineData("[]", 400, "", "wrong_type")]
    [InlineData("{", 400, "", "malformed_json")]
    [InlineData("""{"type":"t","source":"s","data":{"a":1,"a":2}}""", 400, "/data/a", "duplicate_key")]
    [InlineData("""{"type":"t","source":"s","data":"\u0000"}""", 400, "/data", "invalid_character")]
    [InlineData("""{"type":"t","source":"s","data":1e400}""", 400, "/data", "number_out_of_range")]
    [InlineData("""{"type":"t","source":"s","colour":"red"}""", 400, "/colour", "unknown_member")]
    [InlineData("""{"type":"t","source":"s","a/b":{}}""", 400, "/a~1b", "unknown_member")]
    [InlineData("""{"type":"t","source":"s","colour":null}""", 400, "/colour", "unknown_member")]
    [InlineData("""{"type":"t","source":"s","data_base64":"AAEC"}""", 400, "/data_base64", "unknown_member")]
    [InlineData(
        """{"type":"t","source":"s","datacontenttype":"text/plain"}""",
        400,
        "/datacontenttype",
        "unknown_member"
    )]
    [InlineData("""{"type":7,"source":"s"}""", 400, "/type", "wrong_type")]
    [InlineData("""{"type":"t","source":{}}""", 400, "/source", "wrong_type")]
    [InlineData("""{"type":"t","source":"s","time":"2026-01-31T09:30:00"}""", 400, "/time", "wrong_type")]
    [InlineData("""{"type":"t","source":"s","time":"2026-01-31"}""", 400, "/time", "wrong_type")]
    [InlineData("""{"type":"t","source":"s","time":"2026-02-30T09:30:00Z"}""", 400, "/time", "wrong_type")]
    [InlineData("""{"type":"t","source":"s","time":1}""", 400, "/time", "wrong_type")]
    [InlineData("""{"source":"s"}""", 422, "/type", "required")]
    [InlineData("""{"type":"t","source":null}""", 422, "/source", "required")]
    [InlineData("""{"type":"","source":"s"}""", 422, "/type", "required")]
    [InlineData("""{"type":"*","source":"s"}""", 422, "/type", "invalid_event_type")]
    [InlineData("""{"type":"a.*","source":"s"}""", 422, "/type", "invalid_event_type")]
    [InlineData("""{"type":"a..b","source":"s"}""", 422, "/type", "invalid_event_type")]
    [InlineData("""{"type":".a","source":"s"}""", 422, "/type", "invalid_event_type")]
    [InlineData("""{"type":"a.","source":"s"}""", 422, "/type", "invalid_event_type")]
    [InlineData("""{"type":"t","source":"s","subject":""}""", 422, "/subject", "required")]
    [InlineData("""{"type":"t","source":"a\nb"}""", 422, "/source", "invalid_character")]
    [InlineData("""{"type":"t","source":"s","specversion":"1.0"}""", 422, "/id", "required")]
    [InlineData(
        """{"type":"t","source":"s","id":"1","specversion":"0.3"}""",
        422,
        "/specversion",
        "unsupported_version"
    )]
    [InlineData("""{"type":"t","source":"s","id":"1","specversion":"1.0","Big":"x"}""", 422, "/Big", "invalid_name")]
    [InlineData(
        """{"type":"t","source":"s","id":"1","specversion":"1.0","abcdefghijklmnopqrstu":"x"}""",
        422,
        "/abcdefghijklmnopqrstu",
        "invalid_name"
    )]
    [InlineData("""{"type":"t","source":"s","id":"1","specversion":"1.0","n":1.5}""", 400, "/n", "wrong_type")]
    [InlineData("""{"type":"t","source":"s","id":"1","specversion":"1.0","n":2147483648}""", 400, "/n", "wrong_type")]
    [InlineData("""{"type":"t","source":"s","id":"1","specversion":"1.0","n":[]}""", 400, "/n", "wrong_type")]
    [InlineData(
        """{"type":"t","source":"s","id":"1","specversion":"1.0","dataschema":true}""",
        400,
        "/dataschema",
        "wrong_type"
    )]
    [InlineData(
        """{"type":"t","source":"s","id":"1","specversion":"1.0","data_base64":"%"}""",
        400,
        "/data_base64",
        "wrong_type"
    )]
    [InlineData(
        """{"type":"t","source":"s","id":"1","specversion":"1.0","data":1,"data_base64":"AAEC"}""",
        422,
        "/data_base64",
        "conflicting_members"
    )]
    public void What_is_wrong_is_said_with_its_place(string body, int status, string pointer, string code)
    {
        var problem = CloudEventReader.Read(new EventRequest(Encoding.UTF8.GetBytes(body)), Receipt).Problem;

        Assert.NotNull(problem);
        Assert.Equal(status, problem.Kind.Status);
        Assert.Contains(problem.Errors, error => error.Pointer == pointer && error.Code == code);
    }

    [Fact]
    public void Every_fault_is_told_at_once()
    {
        var problem = CloudEventReader.Read(new EventRequest("{}"u8.ToArray()), Receipt).Problem;

        Assert.Equal(["/type", "/source"], problem!.Errors.Select(error => error.Pointer));
    }

    [Theory]
    [InlineData("type")]
    [InlineData("source")]
    [InlineData("id")]
    [InlineData("subject")]
    public void Texts_have_255_characters_at_most(string member)
    {
        Assert.Null(Read(255).Problem);
        Assert.Equal($"/{member}", Assert.Single(Read(256).Problem!.Errors).Pointer);

        Result<NewEvent> Read(int length)
        {
            var members = new Dictionary<string, string>
            {
                ["type"] = "t",
                ["source"] = "s",
                [member] = new('é', length),
            };
            return CloudEventReader.Read(new EventRequest(JsonSerializer.SerializeToUtf8Bytes(members)), Receipt);
        }
    }

    [Fact]
    public void Data_beyond_256_KiB_is_413_and_names_the_event()
    {
        Assert.Null(Read(EventDraft.MaxDataBytes - 2).Problem);
        var problem = Read(EventDraft.MaxDataBytes - 1).Problem;

        Assert.Equal("too_large", problem!.Kind.Code);
        Assert.Contains("shop 7", problem.Detail, StringComparison.Ordinal);
        Assert.Equal("/data", Assert.Single(problem.Errors).Pointer);

        static Result<NewEvent> Read(int length) =>
            CloudEventReader.Read(
                new EventRequest(
                    Encoding.UTF8.GetBytes(
                        $$"""{"type":"t","source":"shop","id":"7","data":"{{new string('x', length)}}"}"""
                    )
                ),
                Receipt
            );
    }

    [Fact]
    public void Extension_attributes_have_16_KiB_together_at_most()
    {
        var value = new string('x', EventDraft.MaxAttributesLength);
        var body = $$"""{"specversion":"1.0","type":"t","source":"s","id":"7","long":"{{value}}"}""";

        var problem = CloudEventReader.Read(new EventRequest(Encoding.UTF8.GetBytes(body)), Receipt).Problem;

        Assert.Equal("too_long", Assert.Single(problem!.Errors).Code);
    }

    [Theory]
    [InlineData("application/cloudevents-batch+json", "/v1/events/batch")]
    [InlineData("application/cloudevents+avro", "application/cloudevents+json")]
    [InlineData("text/plain", "application/json")]
    [InlineData(null, "application/json")]
    public void Another_media_type_is_415_and_says_what_would_do(string? contentType, string hint)
    {
        var problem = CloudEventReader.Read(new EventRequest("{}"u8.ToArray(), contentType), Receipt).Problem;

        Assert.Equal(415, problem!.Kind.Status);
        Assert.Contains(hint, problem.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_structured_cloud_event_must_say_its_version()
    {
        var request = new EventRequest(
            """{"type":"t","source":"s","id":"1"}"""u8.ToArray(),
            "application/cloudevents+json"
        );

        Assert.Equal("/specversion", Assert.Single(CloudEventReader.Read(request, Receipt).Problem!.Errors).Pointer);
    }

    private static NewEvent Take(string body, string contentType = "application/json") =>
        CloudEventReader.Read(new EventRequest(Encoding.UTF8.GetBytes(body), contentType), Receipt).Unwrap();
}
