using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class RescueJobsTests(ServiceFixture service)
{
    private const string Hold = """
        UPDATE jobs
        SET state = 2, claim_no = 1, attempt = 1, claimed_at = now(), worker_id = new_id(),
            lease_until = now() - interval '1 second', kind = @Kind
        WHERE project_id = @ProjectId AND id = @Id
        """;

    private const string WaitSeconds =
        "SELECT extract(epoch FROM run_at - now())::float8 FROM jobs WHERE project_id = @ProjectId AND id = @Id AND lost = 1";

    [Fact]
    public async Task A_job_whose_lease_ended_is_ready_again_after_a_while_and_has_a_lost_attempt()
    {
        var project = await service.NewProjectAsync();
        var id = await AbandonAsync(project, "noop");

        await project.SendAsync(new RescueJobs.Command());

        var job = await Eventually.FitAsync(() => TestJobs.GetAsync(project, id), job => job.State() == "ready");
        Assert.Equal("lost", job.GetProperty("attempts")[0].GetProperty("outcome").GetString());
        var wait = await TestJobs.QueryAsync<double>(service.Database, WaitSeconds, new { ProjectId = project.Id, id });
        Assert.InRange(wait, 3, 5);
    }

    [Fact]
    public async Task What_carries_other_work_is_rescued_without_delay()
    {
        var project = await service.NewProjectAsync();
        var id = await AbandonAsync(project, GivingUpJobs.Name);

        await project.SendAsync(new RescueJobs.Command());

        var job = await TestJobs.BecomeAsync(project, id, "failed");
        Assert.Equal(2, job.GetProperty("attempt").GetInt32());
    }

    [Fact]
    public async Task A_lease_that_runs_is_left_alone()
    {
        var project = await service.NewProjectAsync();
        var started = new TaskCompletionSource();
        var end = new TaskCompletionSource();
        var job = TestJobs.New(
            project.Id,
            async (_, _) =>
            {
                started.SetResult();
                await end.Task;
                return new JobOutcome.Succeeded(null);
            }
        );
        await TestJobs.EnqueueAsync(service, job);
        await started.Task;

        await project.SendAsync(new RescueJobs.Command());

        Assert.Equal("running", (await TestJobs.GetAsync(project, job.Id)).State());
        end.SetResult();
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
    }

    private async Task<Guid> AbandonAsync(TestProject project, string kind)
    {
        var job = TestJobs.Noop(project.Id) with { RunAt = new DateTime(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc) };
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.ExecuteAsync(
            service.Database,
            Hold,
            new
            {
                ProjectId = project.Id,
                job.Id,
                Kind = kind,
            }
        );
        return job.Id;
    }
}
