using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class CompleteJobTests(ServiceFixture service)
{
    [Fact]
    public async Task It_is_said_for_one_job_and_counts_once()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());

        var first = await SayAsync(id, job.GetProperty("lease").GetString()!);
        var again = await SayAsync(id, job.GetProperty("lease").GetString()!);
        var forged = await SayAsync(id, new string('A', 32));
        var nowhere = await SayAsync(Guid.CreateVersion7(), new string('A', 32));

        Assert.Equal((HttpStatusCode.OK, "accepted"), first);
        Assert.Equal((HttpStatusCode.OK, "duplicate"), again);
        Assert.Equal((HttpStatusCode.Conflict, "lease_lost"), forged);
        Assert.Equal((HttpStatusCode.NotFound, "not_found"), nowhere);
        Assert.Equal("succeeded", (await TestJobs.GetAsync(project, id)).State());

        async Task<(HttpStatusCode, string?)> SayAsync(Guid job, string lease)
        {
            var (status, body) = await worker.PostAsync(
                $"/v1/jobs/{job}/complete",
                new { lease, result = new { pages = 3 } }
            );
            return (status, body.GetProperty(status == HttpStatusCode.OK ? "status" : "code").GetString());
        }
    }
}
