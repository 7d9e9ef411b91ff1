using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class RunRouteTests(ServiceFixture service)
{
    [Theory]
    [InlineData("a.b", "a.b", true)]
    [InlineData("a.b", "a.b.c", false)]
    [InlineData("a.b.*", "a.b.c.d", true)]
    [InlineData("a.b.*", "a.b", false)]
    [InlineData("*", "anything", true)]
    public async Task A_run_starts_where_the_type_matches(string pattern, string type, bool starts)
    {
        var project = await service.NewProjectAsync();
        await project.PauseRunsAsync();
        await project.SaveAsync(
            $$"""{"name":"mine","on":{"type":["{{pattern}}"]},"steps":[{"id":"s","uses":"set","with":{} }]}"""
        );

        await project.PublishAsync(type);

        var runs = await Eventually.FitAsync(
            () => project.GetAsync("/v1/runs"),
            list => !starts || list.GetProperty("items").GetArrayLength() > 0
        );
        Assert.Equal(starts ? 1 : 0, runs.GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task An_if_that_fails_makes_a_held_run_and_takes_the_event()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """{"name":"mine","on":{"type":["a"]},"if":"event.data.n > 1","steps":[{"id":"s","uses":"set","with":{} }]}"""
        );

        await project.PublishAsync("a", """{"m":1}""");

        var run = await project.EndedRunAsync("mine");
        Assert.Equal("held", run.State());
        Assert.Equal("if_failed", run.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(0, await project.CountAsync("SELECT count(*) FROM jobs WHERE project_id = @Id"));
    }

    [Fact]
    public async Task A_duplicate_event_starts_no_second_run()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync("""{"name":"mine","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{} }]}""");
        const string Event = """{"type":"a","source":"s","id":"1","data":{}}""";

        await project.CallAsync(HttpMethod.Post, "/v1/events", Event);
        await project.CallAsync(HttpMethod.Post, "/v1/events", Event);

        await project.EndedRunAsync("mine");
        Assert.Equal(1, await project.CountAsync("SELECT count(*) FROM runs WHERE project_id = @Id"));
    }
}
