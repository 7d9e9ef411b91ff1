using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class ResumeWorkerTests(ServiceFixture service)
{
    [Fact]
    public async Task A_worker_that_was_quiet_claims_again()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        Assert.Empty(await worker.ClaimAsync());
        await worker.PostAsync($"/v1/workers/{worker.Id}/quiet", new { });
        await Become("quiet");

        await worker.PostAsync($"/v1/workers/{worker.Id}/resume", new { });

        await Become("run");
        Assert.Equal(1, await project.CountRecordsAsync("workers.resume"));

        Task Become(string directive) =>
            Eventually.BeTrueAsync(
                async () => (await worker.AskAsync()).Body.GetProperty("directive").GetString() == directive,
                directive
            );
    }
}
