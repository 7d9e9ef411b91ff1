using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Running;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Running;

public sealed class JobFinisherTests(ServiceFixture service)
{
    private const string AtOnce = """{"strategy":"list","delays_seconds":[0],"jitter":0}""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_failed_attempt_is_tried_again_and_stays_on_record()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.New(
            project.Id,
            (job, _) => job.Attempt < 3 ? throw new InvalidOperationException("inside") : TestJobs.Succeed(),
            AtOnce
        );
        await TestJobs.EnqueueAsync(service, job);

        var found = await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        var attempts = found.GetProperty("attempts").EnumerateArray().ToArray();
        Assert.Equal(3, found.GetProperty("attempt").GetInt32());
        Assert.Equal(["failed", "failed"], attempts.Select(attempt => attempt.GetProperty("outcome").GetString()));
        Assert.Equal("exception", attempts[0].GetProperty("error").GetProperty("code").GetString());
        Assert.DoesNotContain("inside", found.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_last_attempt_that_fails_fails_the_job()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.New(
            project.Id,
            (_, _) => Task.FromResult<JobOutcome>(new JobOutcome.Failed("broken", "It broke.")),
            AtOnce
        ) with
        {
            MaxAttempts = 2,
        };
        await TestJobs.EnqueueAsync(service, job);

        var found = await TestJobs.BecomeAsync(project, job.Id, "failed");

        Assert.Equal(2, found.GetProperty("attempt").GetInt32());
        Assert.Equal("broken", found.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(2, found.GetProperty("attempts").GetArrayLength());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_continues_a_job_is_enqueued_however_it_ends(bool succeeds)
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.New(
            project.Id,
            (_, _) =>
                Task.FromResult<JobOutcome>(
                    succeeds
                        ? new JobOutcome.Succeeded(null)
                        : new JobOutcome.Failed("broken", "It broke.", Retryable: false)
                ),
            continuation: new Continuation(JobQueue.Automations, "log", """{"message":"next"}""")
        );
        await TestJobs.EnqueueAsync(service, job);

        await TestJobs.BecomeAsync(project, job.Id, succeeds ? "succeeded" : "failed");

        await Eventually.BeTrueAsync(
            async () =>
                await TestJobs.QueryAsync<long>(
                    service.Database,
                    """
                    SELECT count(*) FROM job_history WHERE project_id = @Id AND kind = 'log' AND args ->> 'message' = 'next'
                    """,
                    new { project.Id }
                ) == 1,
            "the continuation ran once"
        );
    }

    [Fact]
    public async Task One_job_serves_one_thing_at_a_time()
    {
        var project = await service.NewProjectAsync();
        var served = Guid.CreateVersion7();
        var later = new DateTime(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var first = TestJobs.Noop(project.Id) with { OneOf = served, RunAt = later };

        Assert.Equal([first.Id], await TestJobs.EnqueueAsync(service, first));
        Assert.Empty(await TestJobs.EnqueueAsync(service, TestJobs.Noop(project.Id) with { OneOf = served }));
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET run_at = now() WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, first.Id }
        );
        await TestJobs.BecomeAsync(project, first.Id, "succeeded");
        Assert.Single(await TestJobs.EnqueueAsync(service, TestJobs.Noop(project.Id) with { OneOf = served }));
    }

    [Fact]
    public async Task The_end_of_a_claim_that_is_no_longer_the_jobs_changes_nothing()
    {
        var project = await service.NewProjectAsync();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var successorEnded = new TaskCompletionSource();
        var job = TestJobs.New(
            project.Id,
            async (job, _) =>
            {
                if (job.ClaimNo > 1)
                {
                    return new JobOutcome.Succeeded("""{"by":"successor"}""");
                }

                started.SetResult();
                await successorEnded.Task; // deaf to its token
                return new JobOutcome.Succeeded("""{"by":"zombie"}""");
            }
        );
        await TestJobs.EnqueueAsync(service, job);
        await started.Task;

        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET lease_until = now() - interval '1 second' WHERE project_id = @ProjectId AND id = @Id AND claim_no = 1",
            new { ProjectId = project.Id, job.Id }
        );
        await project.SendAsync(new RescueJobs.Command());
        await TestJobs.BecomeAsync(project, job.Id, "ready");
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET run_at = now() WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, job.Id }
        );
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        successorEnded.SetResult();

        // the end of a later job follows the zombie's through the same channel
        var after = TestJobs.Noop(project.Id);
        await TestJobs.EnqueueAsync(service, after);
        await TestJobs.BecomeAsync(project, after.Id, "succeeded");
        var found = await TestJobs.GetAsync(project, job.Id);
        Assert.Equal("successor", found.GetProperty("result").GetProperty("by").GetString());
    }

    [Fact]
    public async Task A_handler_may_end_its_job_in_its_own_transaction_and_a_stale_one_cannot()
    {
        var project = await service.NewProjectAsync();
        var state = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var job = TestJobs.New(
            project.Id,
            async (job, token) =>
            {
                await using var connection = await service.Database.OpenConnectionAsync(token);
                await using var stale = new NpgsqlBatch(connection)
                {
                    BatchCommands = { JobQueue.Finish(job with { ClaimNo = job.ClaimNo + 1 }, null) },
                };
                var refused = await Assert.ThrowsAsync<PostgresException>(() => stale.ExecuteNonQueryAsync(token));
                await using var batch = new NpgsqlBatch(connection)
                {
                    BatchCommands = { JobQueue.Finish(job, """{"by":"itself"}""") },
                };
                await batch.ExecuteNonQueryAsync(token);
                state.SetResult(refused.SqlState);
                return JobOutcome.Settled.Instance;
            }
        );
        await TestJobs.EnqueueAsync(service, job);

        Assert.Equal(JobQueue.LeaseLost, await state.Task.WaitAsync(Eventually.Patience, Token));
        var found = await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        Assert.Equal("itself", found.GetProperty("result").GetProperty("by").GetString());
    }

    [Fact]
    public async Task Giving_up_commits_with_what_the_consumer_has_to_say()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { Kind = GivingUpJobs.Name };
        await TestJobs.EnqueueAsync(service, job);

        await TestJobs.BecomeAsync(project, job.Id, "failed");

        var then = await TestJobs.GetAsync(project, GivingUpJobs.Then(job.Id));
        Assert.Equal("no_use", then.GetProperty("args").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_result_that_is_not_json_fails_its_job_and_none_beside_it()
    {
        var project = await service.NewProjectAsync();
        var bad = TestJobs.New(project.Id, (_, _) => TestJobs.Succeed("{not json"));
        var good = Enumerable
            .Range(0, 20)
            .Select(_ => TestJobs.New(project.Id, (_, _) => TestJobs.Succeed()))
            .ToArray();
        await TestJobs.EnqueueAsync(service, [.. good, bad]);

        var found = await TestJobs.BecomeAsync(project, bad.Id, "failed");

        Assert.Equal("result_refused", found.GetProperty("error").GetProperty("code").GetString());
        foreach (var job in good)
        {
            await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        }
    }

    [Fact]
    public async Task Ends_and_lease_extensions_that_cross_disturb_nobody()
    {
        var project = await service.NewProjectAsync();
        var heartbeat = service.Services.GetRequiredService<Heartbeat>();
        var jobs = Enumerable
            .Range(0, 300)
            .Select(_ =>
                TestJobs.New(
                    project.Id,
                    async (_, token) =>
                    {
                        await Task.Yield();
                        return token.IsCancellationRequested
                            ? new JobOutcome.Failed("cancelled", "Its lease was taken for lost.", Retryable: false)
                            : new JobOutcome.Succeeded(null);
                    }
                )
            )
            .ToArray();
        await TestJobs.EnqueueAsync(service, jobs);

        await Eventually.FitAsync(
            async () =>
            {
                await heartbeat.BeatAsync(Token);
                return await TestJobs.QueryAsync<string>(
                    service.Database,
                    """
                    SELECT COALESCE(json_agg(s ORDER BY s)::text, '')
                    FROM (
                        SELECT 'outcome ' || outcome AS is, COALESCE(error::text, '') AS more, count(*)
                        FROM job_history
                        WHERE project_id = @Id
                        GROUP BY 1, 2
                        UNION ALL
                        SELECT 'state ' || state, 'since ' || (now() - GREATEST(run_at, claimed_at))::text, count(*)
                        FROM jobs
                        WHERE project_id = @Id
                        GROUP BY 1, 2
                    ) AS s
                    """,
                    new { project.Id }
                );
            },
            found => found == """[{"is":"outcome 0","more":"","count":300}]"""
        );
    }
}
