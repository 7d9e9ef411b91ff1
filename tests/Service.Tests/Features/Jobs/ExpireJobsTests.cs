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

    /// <summary>Paused, held, behind its lane, or after another job: whatever keeps it, its time is over when it is over.</summary>
    [Fact]
    public async Task What_has_not_begun_in_time_expires_although_nobody_claims_it()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail", new { lane_limit = 1 });
        await TestJobs.HoldQueueAsync(project, "mail", "now()");
        var blocker = await worker.EnqueueAsync(new { lane = "account" });
        var ready = await worker.EnqueueAsync(Bounded());
        var held = await worker.EnqueueAsync(Bounded(held: true));
        var laned = await worker.EnqueueAsync(Bounded(lane: "account"));
        var child = await worker.EnqueueAsync(Bounded(after: blocker));
        var open = await worker.EnqueueAsync(Bounded());
        var after = await worker.EnqueueAsync(new { depends_on = new[] { ready }, depends_when = "failed" });
        Guid[] late = [ready, held, laned, child];
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET start_before = now() - interval '1 second' WHERE project_id = @ProjectId AND id = ANY (@Late)",
            new { ProjectId = project.Id, Late = late }
        );

        await service.SendAsync(project.Id, new ExpireJobs.Command());

        foreach (var id in late)
        {
            var job = await TestJobs.GetAsync(project, id);
            Assert.Equal(("expired", "start_before"), (job.State(), job.GetProperty("reason").GetString()));
        }

        await TestJobs.BecomeAsync(project, after, "ready");
        Assert.NotEqual("expired", (await TestJobs.GetAsync(project, open)).State());
        Assert.NotEqual("expired", (await TestJobs.GetAsync(project, blocker)).State());

        static object Bounded(string? lane = null, bool held = false, Guid? after = null) =>
            new
            {
                start_before = "2999-01-01T00:00:00Z",
                lane,
                held,
                depends_on = after is { } parent ? new[] { parent } : [],
            };
    }
}
