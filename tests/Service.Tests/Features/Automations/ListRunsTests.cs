using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class ListRunsTests(ServiceFixture service)
{
    [Fact]
    public async Task Runs_are_paged_the_newest_first_and_filtered()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync("""{"name":"one","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{}}]}""");
        await project.SaveAsync("""{"name":"two","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{}}]}""");
        for (var count = 0; count < 3; count++)
        {
            await project.PublishAsync("a");
        }

        await Eventually.FitAsync(
            () => project.GetAsync("/v1/runs?state=succeeded"),
            list => list.GetProperty("items").GetArrayLength() == 6
        );
        var first = await project.GetAsync("/v1/runs?automation=one&limit=2");
        var cursor = Uri.EscapeDataString(first.GetProperty("next_cursor").GetString()!);
        var second = await project.GetAsync($"/v1/runs?automation=one&limit=2&cursor={cursor}");
        var ids = first
            .GetProperty("items")
            .EnumerateArray()
            .Concat(second.GetProperty("items").EnumerateArray())
            .Select(run => run.GetProperty("id").GetString()!)
            .ToArray();

        Assert.Equal(3, ids.Distinct().Count());
        Assert.Equal(ids.OrderDescending(StringComparer.Ordinal), ids);
    }

    [Fact]
    public async Task A_state_that_does_not_exist_is_400()
    {
        var project = await service.NewProjectAsync();

        var (status, _) = await project.CallAsync(HttpMethod.Get, "/v1/runs?state=asleep");

        Assert.Equal(HttpStatusCode.BadRequest, status);
    }
}
