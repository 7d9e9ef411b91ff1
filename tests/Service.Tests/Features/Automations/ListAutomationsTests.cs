using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class ListAutomationsTests(ServiceFixture service)
{
    [Fact]
    public async Task Pages_hold_each_automation_once()
    {
        var project = await service.NewProjectAsync();
        foreach (var name in new[] { "one", "two", "three" })
        {
            await project.SaveAsync(
                $$"""{"name":"{{name}}","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{} }]}"""
            );
        }

        var first = await project.GetAsync("/v1/automations?limit=2&state=active");
        var cursor = Uri.EscapeDataString(first.GetProperty("next_cursor").GetString()!);
        var second = await project.GetAsync($"/v1/automations?limit=2&state=active&cursor={cursor}");

        Assert.Equal(
            ["three", "two", "one"],
            first
                .GetProperty("items")
                .EnumerateArray()
                .Concat(second.GetProperty("items").EnumerateArray())
                .Select(item => item.GetProperty("name").GetString())
        );
    }

    [Fact]
    public async Task A_state_that_does_not_exist_is_400()
    {
        var project = await service.NewProjectAsync();

        var (status, body) = await project.CallAsync(HttpMethod.Get, "/v1/automations?state=asleep");

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("state", body.GetProperty("errors")[0].GetProperty("parameter").GetString());
    }
}
