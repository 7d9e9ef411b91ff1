using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class DeleteAutomationTests(ServiceFixture service)
{
    [Fact]
    public async Task Nothing_starts_it_from_the_answer_on_and_its_runs_stay()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """{"name":"mine","on":{"type":["a.b"]},"steps":[{"id":"s","uses":"set","with":{"n":1}}]}"""
        );
        await project.PublishAsync("a.b");
        var run = await project.EndedRunAsync("mine");

        (await project.Http.ChangeAsync("DELETE", "/v1/automations/mine", ifMatch: "*")).Expect(
            HttpStatusCode.NoContent
        );
        await project.PublishAsync("a.b");

        Assert.Equal(1, await project.CountAsync("SELECT count(*) FROM runs WHERE project_id = @Id"));
        var shown = await project.GetAsync($"/v1/runs/{run.GetProperty("id").GetGuid()}");
        Assert.Equal(("mine", "succeeded"), (shown.GetProperty("automation").GetString(), shown.State()));
    }

    [Fact]
    public async Task A_run_that_waits_goes_on()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """{"name":"mine","on":{"type":["a.b"]},"steps":[{"id":"s","uses":"job","with":{"kind":"noop"}}]}"""
        );
        await project.PauseRunsAsync();
        await project.PublishAsync("a.b");
        (await project.Http.ChangeAsync("DELETE", "/v1/automations/mine", ifMatch: "*")).Expect(
            HttpStatusCode.NoContent
        );

        await project.CountAsync(
            "WITH resumed AS (UPDATE queues SET paused_at = NULL WHERE project_id = @Id RETURNING 1) SELECT count(*) FROM resumed"
        );

        var runs = await Eventually.FitAsync(
            () => project.GetAsync("/v1/runs?state=succeeded"),
            list => list.GetProperty("items").GetArrayLength() == 1
        );
        Assert.Equal("mine", runs.GetProperty("items")[0].GetProperty("automation").GetString());
    }
}
