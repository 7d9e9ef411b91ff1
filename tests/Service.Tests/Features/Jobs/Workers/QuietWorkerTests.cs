using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class QuietWorkerTests(ServiceFixture service)
{
    [Fact]
    public async Task A_worker_that_waits_is_told_at_once_and_is_given_nothing()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        Assert.Empty(await worker.ClaimAsync());
        var waiting = worker.AskAsync(wait: 30);

        var told = await worker.PostAsync($"/v1/workers/{worker.Id}/quiet", new { });
        await worker.EnqueueAsync();

        var (_, body) = await waiting.WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);
        Assert.Equal((HttpStatusCode.OK, "quiet"), (told.Status, told.Body.GetProperty("directive").GetString()));
        await Eventually.BeTrueAsync(
            async () => (await worker.AskAsync(max: 1)).Body.GetProperty("directive").GetString() == "quiet",
            "the directive is told"
        );
        Assert.Empty((await worker.AskAsync()).Body.GetProperty("jobs").EnumerateArray());
        Assert.Contains(body.GetProperty("directive").GetString(), new[] { "run", "quiet" });
        Assert.Equal(1, await project.CountRecordsAsync("workers.quiet"));
    }

    [Fact]
    public async Task One_of_another_project_is_not_there()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        Assert.Empty(await worker.ClaimAsync());
        var stranger = await service.NewProjectAsync();

        var (status, _) = await TestWorker.PostAsync(stranger.Http, $"/v1/workers/{worker.Id}/quiet", new { });

        Assert.Equal(HttpStatusCode.NotFound, status);
    }
}
