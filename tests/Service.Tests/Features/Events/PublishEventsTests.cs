using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class PublishEventsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_event_has_a_result_of_its_own()
    {
        var project = await service.NewProjectAsync();
        var first = (await project.SendAsync(Single("""{"type":"t","source":"s","id":"1"}"""))).Unwrap();

        using var answer = await PostAsync(
            project.Http,
            """
            {"events":[
                {"type":"t","source":"s","id":"1"},
                {"type":"other","source":"s","id":"1"},
                {"type":"t","source":"s","id":"2"},
                {"type":"t","source":"s","id":"3","data":{"a":1,"a":1}}
            ]}
            """,
            "application/json"
        );

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        var results = (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("results");
        var all = results.EnumerateArray().ToArray();
        Assert.Equal([0, 1, 2, 3], all.Select(one => one.GetProperty("index").GetInt32()));
        Assert.Equal(
            ["duplicate", "conflict", "accepted", "rejected"],
            all.Select(one => one.GetProperty("status").GetString())
        );
        Assert.Equal(first.Id, all[0].GetProperty("id").GetGuid());
        Assert.Equal("event_conflict", all[1].GetProperty("error").GetProperty("code").GetString());
        Assert.False(all[2].TryGetProperty("error", out _));
        Assert.Equal(JsonValueKind.Null, all[3].GetProperty("id").ValueKind);
        Assert.Equal(
            "/events/3/data/a",
            all[3].GetProperty("error").GetProperty("errors")[0].GetProperty("pointer").GetString()
        );
    }

    [Fact]
    public async Task Of_two_alike_in_one_request_the_second_is_a_duplicate()
    {
        var project = await service.NewProjectAsync();

        var results = (
            await project.SendAsync(
                Many("""{"events":[{"type":"t","source":"s","id":"1"},{"type":"t","source":"s","id":"1"}]}""")
            )
        )
            .Unwrap()
            .Results;

        Assert.Equal(["accepted", "duplicate"], results.Select(result => result.Status));
        Assert.Equal(results[0].Id, results[1].Id);
    }

    [Fact]
    public async Task A_batch_of_cloud_events_and_an_empty_one_are_taken()
    {
        var project = await service.NewProjectAsync();

        using var one = await PostAsync(
            project.Http,
            """[{"specversion":"1.0","type":"t","source":"s","id":"1"}]""",
            CloudEventReader.BatchType
        );
        using var none = await PostAsync(project.Http, "[]", CloudEventReader.BatchType);

        Assert.Contains("\"accepted\"", await one.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        Assert.Equal("""{"results":[]}""", await none.Content.ReadAsStringAsync(Token));
    }

    [Fact]
    public async Task A_thousand_events_are_stored_in_their_order()
    {
        var project = await service.NewProjectAsync();
        var events = Enumerable.Range(0, 1_000).Select(number => $$"""{"type":"t","source":"s","id":"{{number}}"}""");

        var results = (await project.SendAsync(Many($$"""{"events":[{{string.Join(',', events)}}]}""")))
            .Unwrap()
            .Results;

        Assert.Equal(1_000, results.Count(result => result.Status == "accepted"));
    }

    private static PublishEvent.Command Single(string body) => new(new EventRequest(Encoding.UTF8.GetBytes(body)));

    private static PublishEvents.Command Many(string body) => new(new EventRequest(Encoding.UTF8.GetBytes(body)));

    private static Task<HttpResponseMessage> PostAsync(HttpClient http, string body, string contentType) =>
        http.PostAsync(
            new Uri("/v1/events/batch", UriKind.Relative),
            new StringContent(body, Encoding.UTF8, contentType),
            Token
        );
}
