using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Running;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class EndCanceledJobsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_has_not_stopped_in_time_is_canceled_and_what_it_says_later_counts_for_nothing()
    {
        var project = await service.NewProjectAsync();
        var started = new TaskCompletionSource();
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
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
        await started.Task.WaitAsync(Eventually.Patience, Token);
        Assert.Equal(
            "running",
            (await project.SendAsync(new CancelJob.Command(job.Id, GraceSeconds: 0))).Unwrap().State
        );

        await project.SendAsync(new EndCanceledJobs.Command());

        Assert.Equal("canceled", (await TestJobs.GetAsync(project, job.Id)).State());
        end.SetResult();
        var held = service.Services.GetRequiredService<HeldJobs>();
        await Eventually.BeTrueAsync(
            () => Task.FromResult(held.All.All(one => one.Job.Id != job.Id)),
            "the late end came and was dropped"
        );
        Assert.Equal("canceled", (await TestJobs.GetAsync(project, job.Id)).State());
    }

    [Fact]
    public async Task A_worker_that_does_not_listen_has_until_the_grace_is_over_and_its_end_is_refused_after_that()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());
        await worker.PostAsync($"/v1/jobs/{id}/cancel", new { grace_seconds = 0 });

        await project.SendAsync(new EndCanceledJobs.Command());
        var (status, body) = await worker.PostAsync(
            $"/v1/jobs/{id}/complete",
            new { lease = job.GetProperty("lease"), result = new { late = true } }
        );

        Assert.Equal((HttpStatusCode.Conflict, "lease_lost"), (status, body.GetProperty("code").GetString()));
        Assert.Equal("canceled", (await TestJobs.GetAsync(project, id)).State());
    }

    [Theory]
    [InlineData("now() - interval '1 second'", "canceled")]
    [InlineData("now() + interval '1 minute'", "running")]
    public async Task A_silent_process_does_not_save_a_job_that_is_to_be_canceled(string lease, string state)
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.ExecuteAsync(
            service.Database,
            $"""
            UPDATE jobs
            SET state = 2, claim_no = 1, attempt = 1, worker_id = new_id(), lease_until = {lease},
                cancel_requested_at = now(), cancel_by = now() + interval '1 hour'
            WHERE project_id = @ProjectId AND id = @Id
            """,
            new { ProjectId = project.Id, job.Id }
        );

        await project.SendAsync(new RescueJobs.Command());
        await project.SendAsync(new EndCanceledJobs.Command());

        var found = await TestJobs.GetAsync(project, job.Id);
        Assert.Equal(state, found.State());
        Assert.Empty(found.GetProperty("attempts").EnumerateArray());
    }
}
