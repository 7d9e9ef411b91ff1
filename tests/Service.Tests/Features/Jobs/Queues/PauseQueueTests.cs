using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class PauseQueueTests(ServiceFixture service)
{
    [Fact]
    public async Task No_job_is_started_after_the_answer_and_what_runs_goes_on()
    {
        var project = await service.NewProjectAsync();
        var http = project.Http;
        var started = new TaskCompletionSource();
        var end = new TaskCompletionSource();
        var running = TestJobs.New(
            project.Id,
            async (_, _) =>
            {
                started.SetResult();
                await end.Task;
                return await TestJobs.Succeed();
            }
        );
        await TestJobs.EnqueueAsync(service, running);
        await started.Task.WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);

        var paused = (await http.PostAsync("/v1/queues/default/pause", "")).Expect(HttpStatusCode.OK);
        var later = await http.PostAsync("/v1/jobs", """{"kind":"noop"}""");
        end.SetResult();
        await TestJobs.BecomeAsync(project, running.Id, "succeeded");
        var elsewhere = await http.PostAsync("/v1/queues", """{"name":"other","served_by":"service"}""");
        var other = await http.PostAsync("/v1/jobs", """{"queue":"other","kind":"noop"}""");
        await TestJobs.BecomeAsync(project, other.Id, "succeeded"); // the runner has claimed meanwhile

        elsewhere.Expect(HttpStatusCode.Created);
        Assert.NotEqual("null", paused.Body.GetProperty("paused_at").GetRawText());
        Assert.Equal("ready", (await TestJobs.GetAsync(project, later.Id)).State());
    }

    [Fact]
    public async Task Of_many_short_jobs_none_is_claimed_later_than_a_tenth_of_a_second_after_the_answer()
    {
        var project = await service.NewProjectAsync();
        var http = project.Http;
        await http.PostAsync("/v1/queues", """{"name":"q","served_by":"service"}""");
        var jobs = Enumerable.Range(0, 4_000).Select(_ => TestJobs.Noop(project.Id) with { Queue = "q" }).ToArray();
        await TestJobs.EnqueueAsync(service, jobs);
        var pausedAt = DateTime.UnixEpoch;
        await Eventually.BeTrueAsync(async () => await CountAsync("job_history", "true") > 0, "some have ended");

        (await http.PostAsync("/v1/queues/q/pause", "")).Expect(HttpStatusCode.OK);
        pausedAt = await TestJobs.QueryAsync<DateTime>(service.Database, "SELECT now()", new { });
        await Eventually.BeTrueAsync(async () => await CountAsync("jobs", "state = 2") == 0, "nothing runs any more");
        var left = await CountAsync("jobs", "state = 1");
        var late = await CountAsync("job_history", "claimed_at > @PausedAt + interval '100 milliseconds'");
        (await http.PostAsync("/v1/queues/q/resume", "")).Expect(HttpStatusCode.OK);
        await Eventually.BeTrueAsync(async () => await CountAsync("jobs", "true") == 0, "all have ended");

        Assert.True(left > 0, "all had ended before the pause");
        Assert.Equal(0, late);

        Task<long> CountAsync(string table, string condition) =>
            TestJobs.QueryAsync<long>(
                service.Database,
                $"SELECT count(*) FROM {table} WHERE project_id = @Id AND {condition}",
                new { project.Id, PausedAt = pausedAt }
            );
    }

    [Fact]
    public async Task Done_twice_it_is_as_done_once_and_on_record_once()
    {
        var http = (await service.NewProjectAsync()).Http;

        var first = await http.PostAsync("/v1/queues/default/pause", "");
        var second = await http.PostAsync("/v1/queues/default/pause", "");

        Assert.Equal(first.Expect(HttpStatusCode.OK).Text, second.Expect(HttpStatusCode.OK).Text);
        Assert.Equal(first.ETag, (await http.CallAsync("GET", "/v1/queues/default")).ETag);
        var entries = (await http.CallAsync("GET", "/v1/audit?action=queues.pause")).Body.GetProperty("items");
        Assert.Equal("queues/default", Assert.Single(entries.EnumerateArray()).GetProperty("target").GetString());
    }

    [Fact]
    public async Task Operators_pause_and_viewers_do_not()
    {
        var project = await service.NewProjectAsync();

        await project.UseKeyAsync("viewer");
        (await project.Http.PostAsync("/v1/queues/default/pause", "")).Expect(HttpStatusCode.Forbidden);
        await project.UseKeyAsync("operator");
        (await project.Http.PostAsync("/v1/queues/default/pause", "", "once")).Expect(HttpStatusCode.OK);
        var again = await project.Http.PostAsync("/v1/queues/default/pause", "", "once");

        Assert.True(again.Expect(HttpStatusCode.OK).IsReplayed);
    }
}
