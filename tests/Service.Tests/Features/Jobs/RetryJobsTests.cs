using System.Net;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class RetryJobsTests(ServiceFixture service)
{
    private const string Die = """
        WITH gone AS (DELETE FROM jobs WHERE project_id = @Id RETURNING *)
        INSERT INTO job_history (
            project_id, id, queue_id, kind, outcome, priority, claim_no, attempt, max_attempts, lost, run_at, unique_key, args, error
        )
        SELECT project_id, id, queue_id, kind, 1, priority, 1, 1, 1, 0, now(), json_build_object('key', id, 'until', 'finish'), args,
            '{"code":"broken"}'
        FROM gone
        """;

    /// <summary>As a client does it: whatever cannot go back does not keep the rest from it, nor the client for ever.</summary>
    [Fact]
    public async Task Dead_jobs_go_back_and_those_whose_keys_live_stay_and_are_named()
    {
        var project = await service.NewProjectAsync();
        await TestJobs.HoldQueueAsync(project, "default", "now()");
        var jobs = Enumerable.Range(0, 1_000).Select(_ => TestJobs.Later(project.Id)).ToArray();
        await TestJobs.EnqueueAsync(service, jobs);
        await TestJobs.ExecuteAsync(service.Database, Die, new { project.Id });
        var taken = jobs.OrderBy(job => job.Id).Take(100).Select(job => job.Id).ToArray();
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO job_keys (project_id, key, job_id, until)
            SELECT @ProjectId, id::text, new_id(), 1 FROM unnest(@Taken) AS t(id)
            """,
            new { ProjectId = project.Id, Taken = taken }
        );

        var dry = await ActAsync(project, """{"filter":{"error_code":"broken"},"dry_run":true}""");
        var (affected, refused, after) = (0, new List<Guid>(), "null");
        JsonElement answer;
        do
        {
            answer = await ActAsync(project, $$"""{"filter":{"error_code":"broken"},"limit":100,"after":{{after}}}""");
            affected += answer.GetProperty("affected").GetInt32();
            after = answer.GetProperty("after").GetRawText();
            foreach (var job in answer.GetProperty("refused").EnumerateArray())
            {
                Assert.Equal("key_taken", job.GetProperty("code").GetString());
                refused.Add(job.GetProperty("id").GetGuid());
            }
        } while (answer.GetProperty("left").GetBoolean());

        Assert.Equal(1_000, dry.GetProperty("count").GetInt32());
        Assert.Equal(900, affected);
        Assert.Equal(taken.Order(), refused.Order());
        Assert.Equal(
            (900, 100),
            await TestJobs.QueryAsync<(long, long)>(
                service.Database,
                """
                SELECT (SELECT count(*) FROM jobs WHERE project_id = @Id), (SELECT count(*) FROM job_history WHERE project_id = @Id)
                """,
                new { project.Id }
            )
        );
    }

    [Fact]
    public async Task A_job_whose_queue_is_no_more_stays_where_it_is()
    {
        var project = await service.NewProjectAsync();
        (await project.Http.PostAsync("/v1/queues", """{"name":"gone"}""")).Expect(HttpStatusCode.Created);
        var job = TestJobs.Later(project.Id) with { Queue = "gone" };
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.ExecuteAsync(service.Database, Die, new { project.Id });
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE queues SET deleted_at = now() WHERE project_id = @Id AND name = 'gone'",
            new { project.Id }
        );

        var answer = await ActAsync(project, $$$"""{"filter":{"ids":["{{{job.Id}}}"]}}""");
        var alone = await project.Http.CallAsync("POST", $"/v1/jobs/{job.Id}/retry");

        Assert.Equal("unknown_queue", answer.GetProperty("refused")[0].GetProperty("code").GetString());
        Assert.Equal("unknown_queue", alone.Expect(HttpStatusCode.UnprocessableEntity).Code);
        Assert.Equal("failed", (await TestJobs.GetAsync(project, job.Id)).State());
    }

    [Fact]
    public async Task A_queue_that_was_made_anew_stands_for_the_one_before_too()
    {
        var project = await service.NewProjectAsync();
        foreach (var _ in Enumerable.Range(0, 2))
        {
            (await project.Http.PostAsync("/v1/queues", """{"name":"mail"}""")).Expect(HttpStatusCode.Created);
            await TestJobs.EnqueueAsync(service, TestJobs.Later(project.Id) with { Queue = "mail" });
            await TestJobs.ExecuteAsync(service.Database, Die, new { project.Id });
            (await project.Http.ChangeAsync("DELETE", "/v1/queues/mail", ifMatch: "*")).Expect(
                HttpStatusCode.NoContent
            );
        }

        var answer = await ActAsync(project, """{"filter":{"queue":"mail","state":"failed"},"dry_run":true}""");

        Assert.Equal(2, answer.GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task What_succeeded_is_not_meant()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        var answer = await ActAsync(project, """{"filter":{"kind":"noop"}}""");

        Assert.Equal(0, answer.GetProperty("affected").GetInt32());
        Assert.Equal(0, await project.CountRecordsAsync("jobs.bulk-retry"));
    }

    private static async Task<JsonElement> ActAsync(TestProject project, string body) =>
        (await project.Http.PostAsync("/v1/jobs/bulk/retry", body)).Expect(HttpStatusCode.OK).Body;
}
