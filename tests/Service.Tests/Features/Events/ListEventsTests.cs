using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class ListEventsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_filter_with_a_zero_character_is_400()
    {
        var project = await service.NewProjectAsync();

        using var answer = await project.Http.GetAsync("/v1/events?type=%00", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task Pages_show_each_event_once_the_newest_first()
    {
        var project = await PublishAsync("a", "b", "a", "b", "a");

        var all = await WalkAsync(project.Http, "/v1/events?limit=2");
        var some = await WalkAsync(project.Http, "/v1/events?limit=2&type=a");

        Assert.Equal(["4", "3", "2", "1", "0"], all);
        Assert.Equal(["4", "2", "0"], some);
    }

    [Fact]
    public async Task A_filter_that_is_not_known_is_refused()
    {
        var project = await service.NewProjectAsync();

        using var answer = await project.Http.GetAsync(new Uri("/v1/events?colour=red", UriKind.Relative), Token);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    private async Task<TestProject> PublishAsync(params string[] types)
    {
        var project = await service.NewProjectAsync();
        var events = types.Select((type, index) => $$"""{"type":"{{type}}","source":"s","id":"{{index}}"}""");
        var body = Encoding.UTF8.GetBytes($$"""{"events":[{{string.Join(',', events)}}]}""");
        (await project.SendAsync(new PublishEvents.Command(new EventRequest(body)))).Unwrap();
        return project;
    }

    private static async Task<List<string>> WalkAsync(HttpClient http, string first)
    {
        var seen = new List<string>();
        for (var next = first; next is not null; )
        {
            using var answer = await http.GetAsync(new Uri(next, UriKind.Relative), Token);
            var page = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
            seen.AddRange(
                page.GetProperty("items")
                    .EnumerateArray()
                    .Select(item => item.GetProperty("event").GetProperty("id").GetString()!)
            );
            next = page.GetProperty("next_cursor").GetString() is { } cursor
                ? $"{first}&cursor={Uri.EscapeDataString(cursor)}"
                : null;
        }

        return seen;
    }
}
