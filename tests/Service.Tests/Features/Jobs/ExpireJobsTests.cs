using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class ExpireJobsTests(ServiceFixture service)
{
    [Fact]
    public async Task What_has_not_begun_in_time_is_expired_frees_its_key_and_fails_those_who_wait_for_it()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var late = await worker.EnqueueAsync(
            new { start_before = "2999-01-01T00:00:00Z", unique = new { key = "once" } }
        );
        var child = await worker.EnqueueAsync(new { depends_on = new[] { late } });
        var early = await worker.EnqueueAsync(new { start_before = "2999-01-01T00:00:00Z" });
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET start_before = now() - interval '1 second' WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, Id = late }
        );

        await service.SendAsync(project.Id, new ExpireJobs.Command());

        var over = await TestJobs.GetAsync(project, late);
        Assert.Equal(("expired", "start_before"), (over.State(), over.GetProperty("reason").GetString()));
        await TestJobs.BecomeAsync(project, child, "canceled");
        Assert.Equal("ready", (await TestJobs.GetAsync(project, early)).State());
        Assert.NotEqual(late, await worker.EnqueueAsync(new { unique = new { key = "once" } }));
    }
}
