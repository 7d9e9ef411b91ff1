using System.Net;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class GetJobTests(ServiceFixture service)
{
    [Fact]
    public async Task A_finished_job_shows_its_result_and_its_args()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.New(project.Id, (_, _) => TestJobs.Succeed("""{"n":1}"""));
        await TestJobs.EnqueueAsync(service, job);

        var found = await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        Assert.Equal("default", found.GetProperty("queue").GetString());
        Assert.Equal(1, found.GetProperty("attempt").GetInt32());
        Assert.Equal(1, found.GetProperty("result").GetProperty("n").GetInt32());
        Assert.Equal("{}", found.GetProperty("args").GetRawText());
        Assert.Equal(JsonValueKind.Null, found.GetProperty("error").ValueKind);
        Assert.Equal(JsonValueKind.String, found.GetProperty("finished_at").ValueKind);
        Assert.Empty(found.GetProperty("attempts").EnumerateArray());
    }

    [Fact]
    public async Task Args_and_result_are_left_out_without_the_permission_to_read_data()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        Assert.True((await TestJobs.GetAsync(project, job.Id)).TryGetProperty("result", out _));
        await project.UseKeyAsync("viewer");

        var seen = await TestJobs.GetAsync(project, job.Id);
        Assert.False(seen.TryGetProperty("args", out _));
        Assert.False(seen.TryGetProperty("result", out _));
    }

    [Fact]
    public async Task Another_projects_job_is_404()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { RunAt = new DateTime(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc) };
        await TestJobs.EnqueueAsync(service, job);

        var response = await other.Http.GetAsync($"/v1/jobs/{job.Id}", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task What_is_committed_while_it_reads_does_not_show_by_half()
    {
        var (during, after) = await MidRead.AskAsync(
            service,
            id => new GetJob.Query(id),
            "job_attempts",
            """
            INSERT INTO jobs (project_id, id, queue_id, kind, state, max_attempts, run_at, args)
            SELECT project_id, @Id, queue_id, 'noop', 1, 20, now(), '{}' FROM queues WHERE project_id = @ProjectId LIMIT 1
            """,
            """
            UPDATE jobs SET attempt = 1, claim_no = 1 WHERE project_id = @ProjectId AND id = @Id;
            INSERT INTO job_attempts (project_id, job_id, claim_no, attempt, outcome, at)
            VALUES (@ProjectId, @Id, 1, 1, 'failed', now())
            """
        );

        Assert.Equal((0, 0), (during.Attempt, during.Attempts.Count));
        Assert.Equal((1, 1), (after.Attempt, after.Attempts.Count));
    }
}
