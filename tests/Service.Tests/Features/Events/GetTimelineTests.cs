using System.Net;
using System.Text.Json;
using Bellhop.Tests.Features.Automations;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class GetTimelineTests(ServiceFixture service)
{
    [Fact]
    public async Task The_whole_story_is_told_cause_before_effect()
    {
        var (project, id) = await TellAsync();

        var items = (await project.GetAsync($"/v1/events/{id}/timeline"))
            .GetProperty("items")
            .EnumerateArray()
            .ToArray();

        Assert.Equal(
            [
                "event a routed",
                "run teller succeeded",
                "step work succeeded",
                "job noop succeeded",
                "step tell succeeded",
                "event told routed",
                "run hearer succeeded",
                "step s succeeded",
            ],
            items.Select(item => $"{Text(item, "kind")} {Text(item, "name")} {item.State()}")
        );
        var (run, step, job) = (Text(items[1], "id"), Text(items[2], "id"), items[3]);
        Assert.Equal(id.ToString(), Text(items[1], "parent_id"));
        Assert.Equal($"{run}/work", step);
        Assert.Equal(run, Text(items[2], "parent_id"));
        Assert.Equal(step, Text(job, "parent_id"));
        Assert.Equal(run, Text(items[5], "parent_id"));
        Assert.Equal(
            items.Select(item => Text(item, "at")).Order(StringComparer.Ordinal),
            items.Select(item => Text(item, "at"))
        );
    }

    [Fact]
    public async Task Pages_hold_each_item_once_in_the_same_order()
    {
        var (project, id) = await TellAsync();
        var whole = await project.GetAsync($"/v1/events/{id}/timeline");

        var paged = new List<string?>();
        string? cursor = null;
        do
        {
            var query = cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}";
            var page = await project.GetAsync($"/v1/events/{id}/timeline?limit=3{query}");
            paged.AddRange(page.GetProperty("items").EnumerateArray().Select(item => Text(item, "id")));
            cursor = page.GetProperty("next_cursor").GetString();
        } while (cursor is not null);

        Assert.Equal(whole.GetProperty("items").EnumerateArray().Select(item => Text(item, "id")), paged);
    }

    [Fact]
    public async Task An_error_is_told_with_its_code()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """{"name":"mine","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{"x":"${event.data.none}"}}]}"""
        );
        var id = await project.PublishAsync("a");
        await project.EndedRunAsync("mine");

        var items = (await project.GetAsync($"/v1/events/{id}/timeline")).GetProperty("items");

        Assert.Equal("missing_member", items[1].GetProperty("error").GetProperty("code").GetString());
        Assert.Equal("missing_member", items[2].GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(JsonValueKind.Null, items[0].GetProperty("error").ValueKind);
    }

    [Theory]
    [InlineData("00000000-0000-0000-0000-000000000000")]
    [InlineData("ffffffff-ffff-ffff-ffff-ffffffffffff")]
    public async Task An_event_that_is_not_there_is_404(string id)
    {
        var project = await service.NewProjectAsync();

        var (status, _) = await project.CallAsync(HttpMethod.Get, $"/v1/events/{id}/timeline");

        Assert.Equal(HttpStatusCode.NotFound, status);
    }

    [Fact]
    public async Task Another_projects_event_is_404()
    {
        var (_, id) = await TellAsync();
        var stranger = await service.NewProjectAsync();

        var (status, _) = await stranger.CallAsync(HttpMethod.Get, $"/v1/events/{id}/timeline");

        Assert.Equal(HttpStatusCode.NotFound, status);
    }

    private async Task<(TestProject Project, Guid Event)> TellAsync()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """
            {"name":"teller","on":{"type":["a"]},"steps":[
                {"id":"work","uses":"job","with":{"kind":"noop"}},{"id":"tell","uses":"emit","with":{"type":"told"}}]}
            """
        );
        await project.SaveAsync(
            """{"name":"hearer","on":{"type":["told"]},"steps":[{"id":"s","uses":"set","with":{}}]}"""
        );
        var id = await project.PublishAsync("a");
        await project.EndedRunAsync("hearer");
        return (project, id);
    }

    private static string? Text(JsonElement item, string name) => item.GetProperty(name).GetString();
}
