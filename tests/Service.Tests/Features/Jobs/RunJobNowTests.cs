using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class RunJobNowTests(ServiceFixture service)
{
    [Fact]
    public async Task A_job_that_waits_for_its_time_runs_now()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);

        var due = (await RunNowAsync(project, job.Id)).Expect(HttpStatusCode.OK).Body;

        Assert.Equal("ready", due.State());
        Assert.True(due.GetProperty("run_at").GetDateTime() < DateTime.UtcNow.AddMinutes(1));
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        Assert.Equal(1, await project.CountRecordsAsync("jobs.run-now"));
    }

    [Fact]
    public async Task A_job_that_waits_for_its_next_attempt_is_tried_now()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.New(
            project.Id,
            (job, _) =>
                job.Attempt == 1
                    ? Task.FromResult<JobOutcome>(new JobOutcome.Failed("broken", "It broke."))
                    : TestJobs.Succeed(),
            """{"strategy":"list","delays_seconds":[3600],"jitter":0}"""
        );
        await TestJobs.EnqueueAsync(service, job);
        await Eventually.FitAsync(
            () => TestJobs.GetAsync(project, job.Id),
            job => job.GetProperty("attempts").GetArrayLength() == 1
        );

        (await RunNowAsync(project, job.Id)).Expect(HttpStatusCode.OK);

        var over = await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        Assert.Equal(2, over.GetProperty("attempt").GetInt32());
    }

    [Fact]
    public async Task A_job_that_is_due_keeps_its_place_and_nothing_is_recorded()
    {
        var project = await service.NewProjectAsync();
        await TestJobs.HoldQueueAsync(project, "default", "now()");
        var job = TestJobs.Noop(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        var before = await TestJobs.GetAsync(project, job.Id);

        var after = (await RunNowAsync(project, job.Id)).Expect(HttpStatusCode.OK).Body;

        Assert.Equal(before.GetRawText(), after.GetRawText());
        Assert.Equal(0, await project.CountRecordsAsync("jobs.run-now"));
    }

    [Fact]
    public async Task What_is_over_held_or_running_is_left_as_it_is()
    {
        var project = await service.NewProjectAsync();
        var done = TestJobs.Noop(project.Id);
        var held = TestJobs.Later(project.Id);
        var end = new TaskCompletionSource();
        var running = TestJobs.New(
            project.Id,
            async (_, _) =>
            {
                await end.Task;
                return new JobOutcome.Succeeded(null);
            }
        );
        await TestJobs.EnqueueAsync(service, done, held, running);
        await TestJobs.BecomeAsync(project, done.Id, "succeeded");
        await TestJobs.BecomeAsync(project, running.Id, "running");
        (await project.Http.CallAsync("POST", $"/v1/jobs/{held.Id}/hold")).Expect(HttpStatusCode.OK);

        Assert.Equal("job_finished", (await RunNowAsync(project, done.Id)).Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal("job_waiting", (await RunNowAsync(project, held.Id)).Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal("job_running", (await RunNowAsync(project, running.Id)).Expect(HttpStatusCode.Conflict).Code);
        end.SetResult();
    }

    private static Task<Answer> RunNowAsync(TestProject project, Guid id) =>
        project.Http.CallAsync("POST", $"/v1/jobs/{id}/run-now");
}
