using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class RetryJobTests(ServiceFixture service)
{
    private static readonly Continuation Next = new(JobQueue.Automations, "noop", """{"next":true}""");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_failed_job_runs_again_under_its_id_and_what_it_was_stays_on_record()
    {
        var project = await service.NewProjectAsync();
        var claims = new List<long>();
        var job = await FailAsync(
            project,
            (job, _) =>
            {
                claims.Add(job.ClaimNo);
                return job.ClaimNo == 1 ? Fail() : TestJobs.Succeed();
            }
        );

        var back = (await RetryAsync(project, job.Id)).Expect(HttpStatusCode.OK).Body;

        Assert.Equal(("ready", 0), (back.State(), back.GetProperty("attempt").GetInt32()));
        Assert.True(back.IsNull("error"));
        var over = await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        Assert.Equal(1, over.GetProperty("attempt").GetInt32());
        Assert.Equal(1, over.GetProperty("attempts").GetArrayLength());
        Assert.Equal([1, 2], claims); // the fence is never lowered: who held it before holds it no more
        Assert.Equal(1, await project.CountRecordsAsync("jobs.retry"));
    }

    [Fact]
    public async Task Its_own_retry_policy_counts_from_the_start()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.New(
            project.Id,
            (job, _) => job.ClaimNo < 4 ? Fail(retryable: true) : TestJobs.Succeed(),
            """{"strategy":"list","delays_seconds":[0],"jitter":0}"""
        ) with
        {
            MaxAttempts = 2,
        };
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.BecomeAsync(project, job.Id, "failed");

        (await RetryAsync(project, job.Id)).Expect(HttpStatusCode.OK);

        var over = await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        Assert.Equal(2, over.GetProperty("attempt").GetInt32());
        Assert.Equal(3, over.GetProperty("attempts").GetArrayLength());
    }

    [Fact]
    public async Task What_continues_a_job_is_enqueued_at_each_of_its_ends()
    {
        var project = await service.NewProjectAsync();
        var job = await FailAsync(
            project,
            (job, _) => job.ClaimNo == 1 ? Fail() : TestJobs.Succeed(),
            job => job with { Continuation = Next }
        );

        (await RetryAsync(project, job.Id)).Expect(HttpStatusCode.OK);
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        await Eventually.FitAsync(
            () =>
                TestJobs.QueryAsync<long>(
                    service.Database,
                    "SELECT count(*) FROM job_history WHERE project_id = @Id AND args ->> 'next' = 'true'",
                    new { project.Id }
                ),
            count => count == 2
        );
    }

    /// <summary>Otherwise the run would wait for ever: what told it of the end has found none.</summary>
    [Fact]
    public async Task A_job_that_is_put_back_before_its_run_has_looked_carries_the_run_on_when_it_ends()
    {
        var project = await service.NewProjectAsync();
        (
            await project.Http.PostAsync(
                "/v1/automations",
                """
                {"name":"waits","on":{"type":["a"]},"steps":[
                    {"id":"work","uses":"job","with":{"kind":"sleep","args":{"seconds":600}}},
                    {"id":"then","uses":"set","with":{"done":true}}]}
                """
            )
        ).Expect(HttpStatusCode.Created);
        (await project.Http.PostAsync("/v1/events", """{"type":"a","source":"tests"}""")).Expect(
            HttpStatusCode.Accepted
        );
        var id = await Eventually.FitAsync(
            () =>
                TestJobs.QueryAsync<Guid>(
                    service.Database,
                    "SELECT id FROM jobs WHERE project_id = @Id AND kind = 'sleep' AND state = 2",
                    new { project.Id }
                ),
            found => found != Guid.Empty
        );
        // nobody carries the run on while the job comes and goes
        await SetPausedAsync(project, "now()");
        await project.SendAsync(new CancelJob.Command(id, Force: true));
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE job_history SET kind = 'noop' WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, id }
        );
        await TestJobs.HoldQueueAsync(project, "default", "now()");
        (await RetryAsync(project, id)).Expect(HttpStatusCode.OK);
        await SetPausedAsync(project, "NULL");
        await Eventually.FitAsync(
            () =>
                TestJobs.QueryAsync<long>(
                    service.Database,
                    "SELECT count(*) FROM jobs WHERE project_id = @Id AND kind = 'automations.run'",
                    new { project.Id }
                ),
            carriers => carriers == 0
        );

        await TestJobs.HoldQueueAsync(project, "default", "NULL");

        await TestJobs.BecomeAsync(project, id, "succeeded");
        await Eventually.FitAsync(
            async () => (await project.Http.CallAsync("GET", "/v1/runs")).Body.GetProperty("items")[0],
            run => run.State() == "succeeded"
        );
    }

    [Fact]
    public async Task A_job_of_a_lane_waits_for_its_place_again()
    {
        var project = await service.NewProjectAsync();
        var job = await FailAsync(project, (_, _) => Fail());
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            UPDATE job_history SET lane = 'customer:42', tags = '{a}' WHERE project_id = @ProjectId AND id = @Id;
            UPDATE queues SET lane_limit = 1 WHERE project_id = @ProjectId
            """,
            new { ProjectId = project.Id, job.Id }
        );

        var back = (await RetryAsync(project, job.Id)).Expect(HttpStatusCode.OK).Body;

        Assert.Equal(("waiting", "lane"), (back.State(), back.GetProperty("wait_reason").GetString()));
        Assert.Equal("customer:42", back.GetProperty("lane").GetString());
        Assert.Equal("a", back.GetProperty("tags")[0].GetString());
    }

    /// <summary>Nothing is lost, and no two jobs have one key.</summary>
    [Fact]
    public async Task Of_a_thousand_dead_jobs_a_hundred_whose_keys_live_stay_and_are_named()
    {
        var project = await service.NewProjectAsync();
        await TestJobs.HoldQueueAsync(project, "default", "now()");
        var jobs = Enumerable.Range(0, 1_000).Select(_ => TestJobs.Later(project.Id)).ToArray();
        await TestJobs.EnqueueAsync(service, jobs);
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            UPDATE jobs SET unique_key = json_build_object('key', id, 'until', 'finish') WHERE project_id = @Id;
            WITH gone AS (DELETE FROM jobs WHERE project_id = @Id RETURNING *)
            INSERT INTO job_history (
                project_id, id, queue_id, kind, outcome, priority, claim_no, attempt, max_attempts, lost, run_at, unique_key, args
            )
            SELECT project_id, id, queue_id, kind, 1, priority, 1, 1, 1, 0, now(), unique_key, args FROM gone
            """,
            new { project.Id }
        );
        var taken = jobs[..100].Select(job => job.Id).ToArray();
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO job_keys (project_id, key, job_id, until, expires_at)
            SELECT @ProjectId, id::text, new_id(), 1, 'infinity' FROM unnest(@Taken) AS t(id)
            """,
            new { ProjectId = project.Id, Taken = taken }
        );
        // one whose time is over is free
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO job_keys (project_id, key, job_id, until, expires_at)
            VALUES (@ProjectId, @Key, new_id(), 2, now() - interval '1 second')
            """,
            new { ProjectId = project.Id, Key = $"{jobs[500].Id}" }
        );

        await using var connection = await service.Database.OpenConnectionAsync(Token);
        var retried = await JobRetries.RetryAsync(connection, project.Id, [.. jobs.Select(job => job.Id)], Token);

        Assert.Equal(taken.Order(), retried.Where(job => !job.IsBack).Select(job => job.Id).Order());
        Assert.Equal((900, 100, 1_000), await CountAsync(project));
        Assert.Equal("key_taken", (await RetryAsync(project, taken[0])).Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal("failed", (await TestJobs.GetAsync(project, taken[0])).State());
    }

    [Fact]
    public async Task Of_two_dead_jobs_with_one_key_one_goes_back()
    {
        var project = await service.NewProjectAsync();
        var first = await FailAsync(project, (_, _) => Fail());
        var second = await FailAsync(project, (_, _) => Fail());
        await TestJobs.HoldQueueAsync(project, "default", "now()");
        await TestJobs.ExecuteAsync(
            service.Database,
            """UPDATE job_history SET unique_key = '{"key":"one","until":"finish"}' WHERE project_id = @Id""",
            new { project.Id }
        );

        await using var connection = await service.Database.OpenConnectionAsync(Token);
        var retried = await JobRetries.RetryAsync(connection, project.Id, [first.Id, second.Id], Token);

        Assert.Single(retried, job => job.IsBack);
        Assert.Equal((1, 1, 1), await CountAsync(project));
    }

    [Fact]
    public async Task Of_ten_who_retry_one_job_at_once_one_does()
    {
        var project = await service.NewProjectAsync();
        var job = await FailAsync(project, (_, _) => Fail());
        await TestJobs.HoldQueueAsync(project, "default", "now()");

        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => RetryAsync(project, job.Id)));

        Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
        Assert.All(
            answers.Where(answer => answer.Status != HttpStatusCode.OK),
            answer => Assert.Equal("job_unfinished", answer.Code)
        );
        Assert.Equal(1, await project.CountRecordsAsync("jobs.retry"));
    }

    [Fact]
    public async Task What_succeeded_or_is_not_over_is_not_retried()
    {
        var project = await service.NewProjectAsync();
        var done = TestJobs.Noop(project.Id);
        var later = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, done, later);
        await TestJobs.BecomeAsync(project, done.Id, "succeeded");

        Assert.Equal("job_finished", (await RetryAsync(project, done.Id)).Expect(HttpStatusCode.Conflict).Code);
        var early = (await RetryAsync(project, later.Id)).Expect(HttpStatusCode.Conflict);
        Assert.Equal("job_unfinished", early.Code);
        Assert.Contains("run-now", early.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_has_a_job_run_again_that_they_could_not_enqueue()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { Kind = "http.request" };
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.BecomeAsync(project, job.Id, "failed");

        (await RetryAsync(other, job.Id)).Expect(HttpStatusCode.NotFound);
        await TestJobs.NarrowAsync(project, "elsewhere");
        (await RetryAsync(project, job.Id)).Expect(HttpStatusCode.NotFound);
        await project.UseKeyAsync("operator");
        await TestJobs.ExecuteAsync(
            service.Database,
            """UPDATE api_keys SET access = '{"tags":["a"]}' WHERE project_id = @Id AND role = 'operator'""",
            new { project.Id }
        );
        (await RetryAsync(project, job.Id)).Expect(HttpStatusCode.Forbidden);
    }

    private static Task<JobOutcome> Fail(bool retryable = false) =>
        Task.FromResult<JobOutcome>(new JobOutcome.Failed("broken", "It broke.", retryable));

    private static Task<Answer> RetryAsync(TestProject project, Guid id) =>
        project.Http.CallAsync("POST", $"/v1/jobs/{id}/retry");

    private static Task<int> SetPausedAsync(TestProject project, string when) =>
        TestJobs.HoldQueueAsync(project, JobQueue.Automations, when);

    private async Task<NewJob> FailAsync(TestProject project, Script script, Func<NewJob, NewJob>? adjust = null)
    {
        var job = TestJobs.New(project.Id, script);
        await TestJobs.EnqueueAsync(service, adjust?.Invoke(job) ?? job);
        await TestJobs.BecomeAsync(project, job.Id, "failed");
        return job;
    }

    private Task<(long Back, long Dead, long Keys)> CountAsync(TestProject project) =>
        TestJobs.QueryAsync<(long, long, long)>(
            service.Database,
            """
            SELECT (SELECT count(*) FROM jobs WHERE project_id = @Id), (SELECT count(*) FROM job_history WHERE project_id = @Id),
                (SELECT count(*) FROM job_keys WHERE project_id = @Id)
            """,
            new { project.Id }
        );
}
