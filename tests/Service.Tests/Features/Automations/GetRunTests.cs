using System.Net;
using Bellhop.Features.Automations;
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

    [Fact]
    public async Task What_is_committed_while_it_reads_does_not_show_by_half()
    {
        var (during, after) = await MidRead.AskAsync(
            service,
            id => new GetRun.Query(id),
            "run_steps",
            """
            INSERT INTO automations (project_id, id, name, active_version, state)
            VALUES (@ProjectId, @Id, 'a', 1, 'active');
            INSERT INTO runs (project_id, id, event_id, automation_id, version, state, depth, created_at)
            VALUES (@ProjectId, @Id, @Id, @Id, 1, 'running', 0, now())
            """,
            """
            UPDATE runs SET state = 'succeeded' WHERE project_id = @ProjectId AND id = @Id;
            INSERT INTO run_steps (project_id, run_id, step_id, position, state, started_at)
            VALUES (@ProjectId, @Id, 's', 0, 'succeeded', now())
            """
        );

        Assert.Equal(("running", 0), (during.State, during.Steps.Count));
        Assert.Equal(("succeeded", 1), (after.State, after.Steps.Count));
    }
}
