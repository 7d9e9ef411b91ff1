using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class FreeJobTests(ServiceFixture service)
{
    private const string Lane = """
        UPDATE jobs SET lane = 'customer:42' WHERE project_id = @ProjectId AND id = @Id;
        UPDATE queues SET lane_limit = 1 WHERE project_id = @ProjectId
        """;

    private const string Parent =
        "INSERT INTO job_edges (project_id, parent_id, child_id) VALUES (@ProjectId, new_id(), @Id)";

    [Fact]
    public async Task A_job_that_was_held_runs_once_it_is_free()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        (await project.Http.CallAsync("POST", $"/v1/jobs/{job.Id}/hold")).Expect(HttpStatusCode.OK);
        await TestJobs.MakeDueAsync(project, job.Id);

        var free = (await FreeAsync(project, job.Id)).Expect(HttpStatusCode.OK).Body;

        Assert.Equal("ready", free.State());
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        Assert.Equal(1, await project.CountRecordsAsync("jobs.free"));
    }

    [Theory]
    [InlineData(Lane, "lane")]
    [InlineData(Parent, "jobs")]
    [InlineData($"{Lane};{Parent}", "jobs")]
    public async Task It_waits_for_what_it_waited_for_before(string set, string reason)
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.ExecuteAsync(service.Database, set, new { ProjectId = project.Id, job.Id });
        (await project.Http.CallAsync("POST", $"/v1/jobs/{job.Id}/hold")).Expect(HttpStatusCode.OK);

        var free = (await FreeAsync(project, job.Id)).Expect(HttpStatusCode.OK).Body;

        Assert.Equal(("waiting", reason), (free.State(), free.GetProperty("wait_reason").GetString()));
    }

    [Fact]
    public async Task What_is_not_held_stays_as_it_is_and_what_is_over_is_409()
    {
        var project = await service.NewProjectAsync();
        var later = TestJobs.Later(project.Id);
        var done = TestJobs.Noop(project.Id);
        await TestJobs.EnqueueAsync(service, later, done);
        await TestJobs.BecomeAsync(project, done.Id, "succeeded");

        Assert.Equal("ready", (await FreeAsync(project, later.Id)).Expect(HttpStatusCode.OK).Body.State());
        Assert.Equal("job_finished", (await FreeAsync(project, done.Id)).Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal(0, await project.CountRecordsAsync("jobs.free"));
    }

    private static Task<Answer> FreeAsync(TestProject project, Guid id) =>
        project.Http.CallAsync("POST", $"/v1/jobs/{id}/free");
}
