using System.Net;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class CancelJobsTests(ServiceFixture service)
{
    /// <summary>What a dry run counts is what is then done.</summary>
    [Fact]
    public async Task A_dry_run_counts_what_is_then_canceled_a_thousand_at_a_time()
    {
        var project = await service.NewProjectAsync();
        var meant = Enumerable.Range(0, 2_300).Select(_ => TestJobs.Later(project.Id)).ToArray();
        var others = Enumerable.Range(0, 20).Select(_ => TestJobs.Later(project.Id) with { Kind = "log" }).ToArray();
        await TestJobs.EnqueueAsync(service, meant);
        await TestJobs.EnqueueAsync(service, others);

        var dry = await ActAsync(project, """{"filter":{"kind":"noop"},"dry_run":true}""");
        var affected = new List<int>();
        JsonElement answer;
        var after = "null";
        do
        {
            answer = await ActAsync(project, $$"""{"filter":{"kind":"noop"},"after":{{after}}}""");
            affected.Add(answer.GetProperty("affected").GetInt32());
            after = answer.GetProperty("after").GetRawText();
        } while (answer.GetProperty("left").GetBoolean());

        Assert.Equal(2_300, dry.GetProperty("count").GetInt32());
        Assert.False(dry.GetProperty("capped").GetBoolean());
        Assert.Equal([1_000, 1_000, 300], affected);
        Assert.Equal(
            (20, 2_300),
            await TestJobs.QueryAsync<(long, long)>(
                service.Database,
                """
                SELECT (SELECT count(*) FROM jobs WHERE project_id = @Id),
                    (SELECT count(*) FROM job_history WHERE project_id = @Id AND outcome = 2)
                """,
                new { project.Id }
            )
        );
        Assert.Equal(3, await project.CountRecordsAsync("jobs.bulk-cancel"));
    }

    [Fact]
    public async Task What_runs_is_told_to_stop_and_the_services_own_are_left_alone()
    {
        var project = await service.NewProjectAsync();
        var running = TestJobs.New(
            project.Id,
            async (_, token) =>
            {
                await Task.Delay(Timeout.Infinite, token);
                return new JobOutcome.Succeeded(null);
            }
        );
        var own = TestJobs.Later(project.Id) with { Kind = "automations.run", Queue = JobQueue.Automations };
        await TestJobs.EnqueueAsync(service, running, own);
        await TestJobs.BecomeAsync(project, running.Id, "running");

        var answer = await ActAsync(project, """{"filter":{"created_from":"2020-01-01T00:00:00Z"}}""");

        Assert.Equal(1, answer.GetProperty("affected").GetInt32());
        await TestJobs.BecomeAsync(project, running.Id, "canceled");
        Assert.Equal("ready", (await TestJobs.GetAsync(project, own.Id)).State());
    }

    [Theory]
    [InlineData("ids", "[\"{0}\"]")]
    [InlineData("state", "\"waiting\"")]
    [InlineData("tag", "\"nightly\"")]
    [InlineData("lane", "\"customer:42\"")]
    public async Task Each_member_of_the_filter_narrows(string member, string value)
    {
        var project = await service.NewProjectAsync();
        var meant = TestJobs.Later(project.Id);
        var other = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, meant, other);
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            UPDATE jobs SET tags = '{nightly}', lane = 'customer:42', state = 0, wait_reason = 3
            WHERE project_id = @ProjectId AND id = @Id
            """,
            new { ProjectId = project.Id, meant.Id }
        );

        await ActAsync(project, $$$"""{"filter":{"{{{member}}}":{{{value.Replace("{0}", $"{meant.Id}")}}}}}""");

        Assert.Equal("canceled", (await TestJobs.GetAsync(project, meant.Id)).State());
        Assert.Equal("ready", (await TestJobs.GetAsync(project, other.Id)).State());
    }

    [Fact]
    public async Task Only_what_the_caller_sees_is_meant()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);

        var body = $$$"""{"filter":{"ids":["{{{job.Id}}}"]}}""";
        Assert.Equal(0, (await ActAsync(other, body)).GetProperty("affected").GetInt32());
        await TestJobs.NarrowAsync(project, "elsewhere");
        Assert.Equal(0, (await ActAsync(project, body)).GetProperty("affected").GetInt32());
    }

    [Theory]
    [InlineData("{}", "/filter")]
    [InlineData("""{"filter":{}}""", "/filter")]
    [InlineData("""{"filter":{"state":"succeeded"}}""", "/filter/state")]
    [InlineData("""{"filter":{"kind":"noop"},"limit":0}""", "/limit")]
    [InlineData("""{"filter":{"kind":"noop"},"limit":1001}""", "/limit")]
    public async Task What_does_not_say_which_jobs_are_meant_is_422(string body, string pointer)
    {
        var project = await service.NewProjectAsync();

        var answer = (await project.Http.PostAsync("/v1/jobs/bulk/cancel", body)).Expect(
            HttpStatusCode.UnprocessableEntity
        );

        Assert.Equal(pointer, answer.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    private static async Task<JsonElement> ActAsync(TestProject project, string body) =>
        (await project.Http.PostAsync("/v1/jobs/bulk/cancel", body)).Expect(HttpStatusCode.OK).Body;
}
