using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class WatchDepthsTests(ServiceFixture service)
{
    [Fact]
    public async Task A_full_queue_pushes_back_until_there_is_room()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail", new { max_depth = 2 });
        await worker.EnqueueAsync();
        await worker.EnqueueAsync();
        await service.SendAsync(project.Id, new WatchDepths.Command());

        var (status, body) = await worker.PostAsync("/v1/jobs", new { queue = "mail", kind = "letter" });

        Assert.Equal((HttpStatusCode.TooManyRequests, "queue_full"), (status, body.GetProperty("code").GetString()));
        var jobs = await worker.ClaimAsync();
        await worker.FinishAsync(TestWorker.End(jobs[0], "succeeded"));
        await service.SendAsync(project.Id, new WatchDepths.Command());
        await worker.EnqueueAsync();
    }
}
