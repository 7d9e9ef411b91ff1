using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class EndOrphanedJobsTests(ServiceFixture service)
{
    [Fact]
    public async Task Who_waits_for_a_retry_of_what_the_history_has_forgotten_is_canceled_and_others_go_on_waiting()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var forgotten = await FailAsync(worker);
        var kept = await FailAsync(worker);
        var stuck = await worker.EnqueueAsync(After(forgotten));
        var stopped = await worker.EnqueueAsync(
            new
            {
                depends_on = new[] { kept },
                on_parent_failure = "wait",
                held = true,
            }
        );
        var patient = await worker.EnqueueAsync(After(kept));
        var after = await worker.EnqueueAsync(new { depends_on = new[] { stuck }, depends_when = "finished" });
        var next = await worker.EnqueueAsync(new { depends_on = new[] { stuck } });
        await ForgetAsync(project, forgotten);

        await SweepAsync(project, stuck, "canceled");

        Assert.Equal("parent_lost", await ReasonAsync(project, stuck));
        await TestJobs.BecomeAsync(project, next, "canceled");
        Assert.Equal("parent_failed", await ReasonAsync(project, next));
        await TestJobs.BecomeAsync(project, after, "ready");
        Assert.Equal("waiting", (await TestJobs.GetAsync(project, patient)).State());
        await ForgetAsync(project, kept);
        await SweepAsync(project, stopped, "canceled");
        await SweepAsync(project, patient, "canceled");
    }

    /// <summary>Nobody was told of its end, and nothing says how it was.</summary>
    [Fact]
    public async Task Of_a_job_that_is_gone_its_end_counts_and_nothing_else()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var parent = await worker.EnqueueAsync(new { held = true });
        var success = await worker.EnqueueAsync(new { depends_on = new[] { parent } });
        var end = await worker.EnqueueAsync(new { depends_on = new[] { parent }, depends_when = "finished" });
        await TestJobs.ExecuteAsync(
            service.Database,
            "DELETE FROM jobs WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, Id = parent }
        );

        await SweepAsync(project, success, "canceled");
        await SweepAsync(project, end, "ready");

        Assert.Equal("parent_lost", await ReasonAsync(project, success));
        Assert.Equal(
            0,
            await TestJobs.QueryAsync<long>(
                service.Database,
                "SELECT count(*) FROM job_edges WHERE project_id = @Id",
                new { project.Id }
            )
        );
    }

    private static object After(Guid parent) => new { depends_on = new[] { parent }, on_parent_failure = "wait" };

    private static async Task<Guid> FailAsync(TestWorker worker)
    {
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());
        await worker.FinishAsync(TestWorker.End(job, "failed", error: new { code = "broken", retryable = false }));
        return id;
    }

    private static async Task<string?> ReasonAsync(TestProject project, Guid id) =>
        (await TestJobs.GetAsync(project, id)).GetProperty("reason").GetString();

    /// <summary>As when its day is dropped.</summary>
    private Task<int> ForgetAsync(TestProject project, Guid id) =>
        TestJobs.ExecuteAsync(
            service.Database,
            "DELETE FROM job_history WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, Id = id }
        );

    /// <summary>It goes on where it ended: others have jobs too.</summary>
    private async Task SweepAsync(TestProject project, Guid id, string state) =>
        await Eventually.FitAsync(
            async () =>
            {
                await service.SendAsync(project.Id, new EndOrphanedJobs.Command());
                return await TestJobs.GetAsync(project, id);
            },
            job => job.State() == state
        );
}
