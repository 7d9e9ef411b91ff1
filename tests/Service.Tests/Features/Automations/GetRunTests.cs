using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class GetRunTests(ServiceFixture service)
{
    [Fact]
    public async Task Outputs_are_shown_with_data_read_only()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """{"name":"mine","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{"secret":"x"}}]}"""
        );
        await project.PublishAsync("a");
        var run = await project.EndedRunAsync("mine");
        Assert.Equal("x", run.Step("s").GetProperty("output").GetProperty("secret").GetString());

        await project.UseKeyAsync("viewer");
        var seen = await project.GetAsync($"/v1/runs/{run.GetProperty("id").GetGuid()}");

        Assert.False(seen.Step("s").TryGetProperty("output", out _));
    }

    [Fact]
    public async Task Another_projects_run_is_404()
    {
        var project = await service.NewProjectAsync();
        var stranger = await service.NewProjectAsync();
        await project.SaveAsync("""{"name":"mine","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{}}]}""");
        await project.PublishAsync("a");
        var run = await project.EndedRunAsync("mine");

        var (status, _) = await stranger.CallAsync(HttpMethod.Get, $"/v1/runs/{run.GetProperty("id").GetGuid()}");

        Assert.Equal(HttpStatusCode.NotFound, status);
    }
}
