using System.Text;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class BinaryModeTests
{
    private static readonly EventReceipt Receipt = new(Guid.NewGuid(), Guid.CreateVersion7(), DateTime.UnixEpoch, null);

    [Fact]
    public void Attributes_are_headers_and_the_body_is_the_data()
    {
        var taken = Read(
                """{"a": 1.0}"""u8.ToArray(),
                "application/json",
                ("Ce-Subject", "42"),
                ("ce-time", "2026-01-31T09:30:00Z"),
                ("CE-PartitionKey", "k"),
                ("X-Other", "ignored")
            )
            .Unwrap();

        Assert.Equal(("1", "s", "t"), (taken.EventId, taken.Source, taken.Type));
        Assert.Equal("42", taken.Subject);
        Assert.Equal(new DateTime(2026, 1, 31, 9, 30, 0, DateTimeKind.Utc), taken.Time);
        Assert.Equal("""{"a": 1.0}""", taken.Data);
        Assert.Equal("""{"partitionkey":"k","datacontenttype":"application/json"}""", taken.Attributes);
    }

    [Theory]
    [InlineData("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀")] // the binding's own example
    [InlineData("%c3%a9", "é")]
    [InlineData("é", "é")]
    [InlineData("a%2520b", "a%20b")] // decoded once
    [InlineData("\"quoted \\\" text\"", "quoted \" text")]
    [InlineData("\"a%20b\"", "a b")]
    [InlineData("plain \" inside", "plain \" inside")]
    public void Values_are_percent_decoded_once(string header, string value) =>
        Assert.Equal(value, Read([], null, ("ce-subject", header)).Unwrap().Subject);

    [Theory]
    [InlineData("%C0%A0")] // overlong
    [InlineData("%ED%A0%80")] // half of a surrogate pair
    [InlineData("%E2%82")]
    [InlineData("%")]
    [InlineData("%2")]
    [InlineData("%zz")]
    [InlineData("\"open")]
    [InlineData("\"closed\" early")]
    public void Values_that_are_no_text_are_refused(string header)
    {
        var problem = Read([], null, ("ce-subject", header)).Problem;

        Assert.Equal(400, problem!.Kind.Status);
        Assert.Equal(("ce-subject", "invalid_encoding"), (problem.Errors[0].Header, problem.Errors[0].Code));
    }

    [Theory]
    [InlineData("application/json", "1.50", "1.50", null)]
    [InlineData("application/vnd.x+json; charset=utf-8", "\"x\"", "\"x\"", null)]
    [InlineData(null, "[1]", "[1]", null)]
    [InlineData("text/plain", "<é\">", "\"<é\\\">\"", null)]
    [InlineData("text/xml; charset=UTF-8", "<a/>", "\"<a/>\"", null)]
    [InlineData("text/plain; charset=iso-8859-1", "abc", null, "YWJj")]
    [InlineData("application/octet-stream", "abc", null, "YWJj")]
    [InlineData("text/plain", "a\0c", null, "YQBj")]
    [InlineData("application/json", "", null, null)]
    public void The_media_type_says_what_the_data_is(string? contentType, string body, string? data, string? base64)
    {
        var taken = Read(Encoding.UTF8.GetBytes(body), contentType).Unwrap();

        Assert.Equal(data, taken.Data);
        Assert.Equal(
            base64 is not null,
            taken.Attributes?.Contains($"\"data_base64\":\"{base64}\"", StringComparison.Ordinal) == true
        );
    }

    [Fact]
    public void Bytes_that_are_not_utf8_are_kept_though_called_text() =>
        Assert.Equal(
            """{"datacontenttype":"text/plain","data_base64":"/w=="}""",
            Read([0xFF], "text/plain").Unwrap().Attributes
        );

    [Fact]
    public void A_json_body_is_read_strictly()
    {
        var problem = Read("""{"a":1,"a":1}"""u8.ToArray(), "application/json").Problem;

        Assert.Equal("/a", Assert.Single(problem!.Errors).Pointer);
    }

    [Fact]
    public void Too_long_extensions_are_told_of_at_their_header()
    {
        var value = new string('x', EventDraft.MaxAttributesLength);
        var error = Assert.Single(Read([], null, ("ce-long", value)).Problem!.Errors);

        Assert.Equal(("ce-long", "too_long", null), (error.Header, error.Code, error.Pointer));
    }

    [Theory]
    [InlineData("ce-type", "a.*", "invalid_event_type")]
    [InlineData("ce-datacontenttype", "text/plain", "unknown_header")]
    [InlineData("ce-data", "x", "unknown_header")]
    [InlineData("ce-time", "yesterday", "wrong_type")]
    [InlineData("ce-not-a-name", "x", "invalid_name")]
    public void Headers_that_mean_nothing_are_refused(string header, string value, string code)
    {
        var problem = Read([], null, (header, value)).Problem;

        Assert.Equal((header, code), (problem!.Errors[0].Header, problem.Errors[0].Code));
    }

    [Fact]
    public void A_header_that_stands_twice_is_refused()
    {
        var headers = Headers();
        headers["ce-subject"] = new StringValues(["a", "b"]);

        var problem = CloudEventReader.Read(new EventRequest(default, null, headers), Receipt).Problem;

        Assert.Equal("repeated_header", Assert.Single(problem!.Errors).Code);
    }

    [Theory]
    [InlineData("ce-id")]
    [InlineData("ce-source")]
    [InlineData("ce-type")]
    [InlineData("ce-specversion")]
    public void Each_required_header_is_missed(string header)
    {
        var headers = Headers();
        headers.Remove(header);

        var problem = CloudEventReader.Read(new EventRequest(default, null, headers), Receipt).Problem;

        Assert.Equal((header, "required"), (problem!.Errors[0].Header, problem.Errors[0].Code));
    }

    [Fact]
    public void Too_much_data_is_413_of_the_body()
    {
        var problem = Read(new byte[EventDraft.MaxDataBytes + 1], "image/png").Problem;

        Assert.Equal(("too_large", ""), (problem!.Kind.Code, problem.Errors[0].Pointer));
        Assert.Null(Read(new byte[EventDraft.MaxDataBytes], "image/png").Problem);
    }

    private static HeaderDictionary Headers() =>
        new()
        {
            ["ce-specversion"] = "1.0",
            ["ce-id"] = "1",
            ["ce-source"] = "s",
            ["ce-type"] = "t",
        };

    private static Result<NewEvent> Read(byte[] body, string? contentType, params (string Name, string Value)[] more)
    {
        var headers = Headers();
        foreach (var (name, value) in more)
        {
            headers[name] = value;
        }

        return CloudEventReader.Read(new EventRequest(body, contentType, headers), Receipt);
    }
}
