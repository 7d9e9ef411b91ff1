using System.Text;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Http;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class EventBatchReaderTests
{
    private const string Good = """{"type":"t","source":"s"}""";
    private const string GoodCloudEvent = """{"specversion":"1.0","id":"1","type":"t","source":"s","ext":"x"}""";

    [Fact]
    public void Each_event_is_read_by_itself()
    {
        string[] events =
        [
            Good,
            """{"type":"t"}""",
            GoodCloudEvent,
            """{"type":"t","source":"s","data":{"a":1,"a":1}}""",
            "7",
        ];

        var results = Read($$"""{"events":[{{string.Join(',', events)}}]}""").Unwrap();

        Assert.Equal([true, false, true, false, false], results.Select(result => result.Problem is null));
        Assert.Equal("/events/1/source", results[1].Problem!.Errors[0].Pointer);
        Assert.Equal("/events/3/data/a", results[3].Problem!.Errors[0].Pointer);
        Assert.Equal("/events/4", results[4].Problem!.Errors[0].Pointer);
    }

    [Fact]
    public void A_batch_of_cloud_events_is_an_array_of_nothing_else()
    {
        var results = Read($"[{GoodCloudEvent},{Good}]", CloudEventReader.BatchType).Unwrap();

        Assert.Null(results[0].Problem);
        Assert.Contains(results[1].Problem!.Errors, error => error.Pointer == "/1/specversion");
    }

    [Theory]
    [InlineData("application/json", """{"events":[]}""")]
    [InlineData(CloudEventReader.BatchType, "[]")]
    public void A_batch_may_be_empty(string contentType, string body) => Assert.Empty(Read(body, contentType).Unwrap());

    [Fact]
    public void What_is_too_deep_is_the_fault_of_its_event()
    {
        var deep = $$"""{"type":"t","source":"s","data":{{new string('[', 64)}}{{new string(']', 64)}}}""";

        var results = Read($$"""{"events":[{{deep}},{{Good}}]}""").Unwrap();

        Assert.Equal("too_deep", results[0].Problem!.Errors[0].Code);
        Assert.Null(results[1].Problem);
    }

    [Theory]
    [InlineData("application/json", "", "malformed_json")]
    [InlineData("application/json", "[]", "wrong_type")]
    [InlineData("application/json", "{}", "required")]
    [InlineData("application/json", """{"events":{}}""", "wrong_type")]
    [InlineData("application/json", """{"events":[],"more":1}""", "unknown_member")]
    [InlineData("application/json", """{"events":[],"events":[]}""", "duplicate_key")]
    [InlineData("application/json", """{"events":[]""", "malformed_json")]
    [InlineData("application/json", """{"events":[]} x""", "malformed_json")]
    [InlineData("application/json", """{"events":[{"type":]}""", "malformed_json")]
    [InlineData(CloudEventReader.BatchType, "{}", "wrong_type")]
    [InlineData(CloudEventReader.BatchType, "[] []", "malformed_json")]
    [InlineData(CloudEventReader.BatchType, "[", "malformed_json")]
    public void A_body_that_is_no_list_is_refused_whole(string contentType, string body, string code)
    {
        var problem = Read(body, contentType).Problem;

        Assert.Equal((400, code), (problem!.Kind.Status, problem.Errors[0].Code));
    }

    [Theory]
    [InlineData("""{"events":[],"more/~":1}""", "/more~1~0")]
    [InlineData("""{"\ud800":1}""", "")]
    public void A_member_that_nobody_knows_is_pointed_at(string body, string pointer)
    {
        var fault = Read(body).Problem!.Errors[0];

        Assert.Equal(("unknown_member", pointer), (fault.Code, fault.Pointer));
    }

    [Fact]
    public void More_than_a_thousand_events_are_413()
    {
        Assert.Equal(1_000, Read(Of(1_000)).Unwrap().Count);
        Assert.Equal(413, Read(Of(1_001)).Problem!.Kind.Status);

        static string Of(int count) => $$"""{"events":[{{string.Join(',', Enumerable.Repeat(Good, count))}}]}""";
    }

    [Fact]
    public void Ids_ascend_in_the_order_of_the_body()
    {
        var events = Read($$"""{"events":[{{string.Join(',', Enumerable.Repeat(Good, 1_000))}}]}""").Unwrap();

        var ids = events.ConvertAll(result => result.Unwrap().Id);
        Assert.Equal(ids.Order(), ids);
        Assert.Equal(1_000, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Equal(7, id.Version));
    }

    [Fact]
    public void Another_media_type_is_415() => Assert.Equal(415, Read("[]", "text/json").Problem!.Kind.Status);

    private static Result<List<Result<NewEvent>>> Read(string body, string contentType = "application/json") =>
        EventBatchReader.Read(
            new EventRequest(Encoding.UTF8.GetBytes(body), contentType),
            new EventReceipt(Guid.NewGuid(), Guid.CreateVersion7(), DateTime.UnixEpoch, null)
        );
}
