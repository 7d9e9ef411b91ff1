using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class HoldJobTests(ServiceFixture service)
{
    [Fact]
    public async Task A_job_that_is_held_does_not_run_when_it_is_due()
    {
        var project = await service.NewProjectAsync();
        var held = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, held);

        var view = (await HoldAsync(project, held.Id)).Expect(HttpStatusCode.OK).Body;
        await TestJobs.MakeDueAsync(project, held.Id);
        var behind = TestJobs.Noop(project.Id);
        await TestJobs.EnqueueAsync(service, behind);
        await TestJobs.BecomeAsync(project, behind.Id, "succeeded");

        Assert.Equal(("waiting", "held"), (view.State(), view.GetProperty("wait_reason").GetString()));
        Assert.Equal("waiting", (await TestJobs.GetAsync(project, held.Id)).State());
    }

    [Fact]
    public async Task Held_again_it_is_as_it_was_and_recorded_once()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);

        var first = (await HoldAsync(project, job.Id)).Expect(HttpStatusCode.OK);
        var second = (await HoldAsync(project, job.Id)).Expect(HttpStatusCode.OK);

        Assert.Equal(first.Text, second.Text);
        Assert.Equal(1, await project.CountRecordsAsync("jobs.hold"));
    }

    [Fact]
    public async Task A_job_that_is_held_can_be_canceled()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        (await HoldAsync(project, job.Id)).Expect(HttpStatusCode.OK);

        (await project.Http.PostAsync($"/v1/jobs/{job.Id}/cancel", "{}")).Expect(HttpStatusCode.OK);

        Assert.Equal("canceled", (await TestJobs.GetAsync(project, job.Id)).State());
    }

    [Fact]
    public async Task What_runs_or_is_over_is_not_held()
    {
        var project = await service.NewProjectAsync();
        var end = new TaskCompletionSource();
        var job = TestJobs.New(
            project.Id,
            async (_, _) =>
            {
                await end.Task;
                return new JobOutcome.Succeeded(null);
            }
        );
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.BecomeAsync(project, job.Id, "running");

        Assert.Equal("job_running", (await HoldAsync(project, job.Id)).Expect(HttpStatusCode.Conflict).Code);
        end.SetResult();
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        Assert.Equal("job_finished", (await HoldAsync(project, job.Id)).Expect(HttpStatusCode.Conflict).Code);
    }

    private static Task<Answer> HoldAsync(TestProject project, Guid id) =>
        project.Http.CallAsync("POST", $"/v1/jobs/{id}/hold");
}
