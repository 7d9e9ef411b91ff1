using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Logs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class FinishJobsTests(ServiceFixture service)
{
    [Fact]
    public async Task An_end_is_accepted_once_and_a_duplicate_after_that()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());
        var end = new
        {
            id,
            lease = job.GetProperty("lease"),
            outcome = "succeeded",
            result = new { pages = 3 },
        };

        Assert.Equal(["accepted"], await worker.FinishAsync(end));
        Assert.Equal(["duplicate", "duplicate"], await worker.FinishAsync(end, end));

        var over = await TestJobs.GetAsync(project, id);
        Assert.Equal(("succeeded", 3), (over.State(), over.GetProperty("result").GetProperty("pages").GetInt32()));
        Assert.Equal(["lease_lost"], await worker.FinishAsync(TestWorker.End(job, "failed")));
        Assert.Equal(
            1,
            await TestJobs.QueryAsync<long>(
                service.Database,
                "SELECT count(*) FROM job_history WHERE project_id = @ProjectId AND id = @Id",
                new { ProjectId = project.Id, Id = id }
            )
        );
    }

    [Fact]
    public async Task The_last_lines_of_the_log_come_with_the_end_and_are_stored_once()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());
        var end = new
        {
            id,
            lease = job.GetProperty("lease"),
            outcome = "succeeded",
            logs = new
            {
                from_seq = 1,
                lines = new object[] { new { text = "a" }, new { text = "b", level = "error" } },
            },
        };

        Assert.Equal(["accepted", "duplicate"], await worker.FinishAsync(end, end));
        Assert.Equal(["duplicate"], await worker.FinishAsync(end));

        var lines = await TestLogs.ReadAsync(project, id);
        Assert.Equal([("info", "a"), ("error", "b")], lines.Select(line => (line.Level, line.Text)));
        var unsound = new
        {
            id,
            lease = job.GetProperty("lease"),
            outcome = "succeeded",
            logs = new { from_seq = 0 },
        };
        Assert.Equal(["invalid"], await worker.FinishAsync(unsound));
    }

    /// <summary>The lease, not the clock, decides whose end counts.</summary>
    [Fact]
    public async Task An_end_that_is_late_counts_until_somebody_else_has_the_job()
    {
        var (project, worker) = await StartAsync();
        // jobs of all projects are rescued, also by tests beside this one
        await Eventually.BeTrueAsync(
            async () =>
            {
                await worker.EnqueueAsync();
                var late = Assert.Single(await worker.ClaimAsync());
                await TestWorker.ExpireAsync(project);
                return (await worker.FinishAsync(TestWorker.End(late, "succeeded"))) is ["accepted"];
            },
            "an end that is late is accepted"
        );
        await worker.EnqueueAsync();
        var mine = Assert.Single(await worker.ClaimAsync());
        await TestWorker.ExpireAsync(project);
        await service.SendAsync(project.Id, new RescueJobs.Command());
        await TestJobs.MakeDueAsync(project, mine.GetProperty("id").GetGuid());
        var other = new TestWorker(service.NewClient(project.Key), "mail");
        var theirs = Assert.Single(await other.ClaimAsync());

        Assert.Equal(["lease_lost"], await worker.FinishAsync(TestWorker.End(mine, "failed")));
        Assert.Equal(["accepted"], await other.FinishAsync(TestWorker.End(theirs, "succeeded")));
        Assert.Equal(["lease_lost"], await worker.FinishAsync(TestWorker.End(mine, "succeeded")));
        Assert.Equal((1, 2), (theirs.GetProperty("lost").GetInt32(), theirs.GetProperty("attempt").GetInt32()));
    }

    [Fact]
    public async Task A_job_of_a_kind_its_workers_do_not_know_keeps_its_attempts_says_why_and_is_failed_after_an_hour()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        var release = Assert.Single(await worker.ClaimAsync());
        object? Unknown(JsonElement job) => TestWorker.End(job, "released", error: new { code = "unknown_kind" });

        Assert.Equal(["accepted"], await worker.FinishAsync(Unknown(release)!));
        var why = (await project.Http.CallAsync("GET", $"/v1/jobs/{id}/why")).Body;
        Assert.Equal("no_handler", why.GetProperty("cause").GetString());
        await TestJobs.MakeDueAsync(project, id);
        var again = Assert.Single(await worker.ClaimAsync());
        Assert.Equal(1, again.GetProperty("attempt").GetInt32());

        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE job_attempts SET at = at - interval '61 minutes' WHERE project_id = @Id",
            new { project.Id }
        );
        Assert.Equal(["accepted"], await worker.FinishAsync(Unknown(again)!));

        var job = await TestJobs.GetAsync(project, id);
        Assert.Equal("failed", job.State());
        Assert.Equal("no_handler", job.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_job_that_a_worker_knew_in_between_has_an_hour_again()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        await FinishAsync("released", new { code = "unknown_kind" });
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE job_attempts SET at = at - interval '61 minutes' WHERE project_id = @Id",
            new { project.Id }
        );
        await FinishAsync("snoozed", null);

        await FinishAsync("released", new { code = "unknown_kind" });

        Assert.Equal("ready", (await TestJobs.GetAsync(project, id)).State());

        async Task FinishAsync(string outcome, object? error)
        {
            await TestJobs.MakeDueAsync(project, id);
            var job = Assert.Single(await worker.ClaimAsync());
            Assert.Equal(["accepted"], await worker.FinishAsync(TestWorker.End(job, outcome, delay: 0, error: error)));
        }
    }

    [Theory]
    [InlineData("released")]
    [InlineData("snoozed")]
    public async Task A_job_that_began_in_time_and_was_given_back_is_not_too_late(string outcome)
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync(new { start_before = "2999-01-01T00:00:00Z" });
        var job = Assert.Single(await worker.ClaimAsync());
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET start_before = now() - interval '1 second' WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, Id = id }
        );
        Assert.Equal(["accepted"], await worker.FinishAsync(TestWorker.End(job, outcome, delay: 0)));
        await service.SendAsync(project.Id, new ExpireJobs.Command());

        Assert.Equal(id, Assert.Single(await worker.ClaimAsync()).GetProperty("id").GetGuid());
    }

    [Fact]
    public async Task Of_two_ends_of_one_lease_in_a_request_the_first_counts()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());
        var failed = TestWorker.End(job, "failed", error: new { code = "no_use" });
        var succeeded = TestWorker.End(job, "succeeded");

        Assert.Equal(["accepted", "lease_lost", "duplicate"], await worker.FinishAsync(failed, succeeded, failed));

        Assert.Equal("ready", (await TestJobs.GetAsync(project, id)).State());
    }

    /// <summary>The number of the attempt repeats, that of the claim does not.</summary>
    [Fact]
    public async Task What_is_released_has_its_attempt_back_and_the_old_lease_is_worth_nothing()
    {
        var (_, worker) = await StartAsync();
        await worker.EnqueueAsync();
        var first = Assert.Single(await worker.ClaimAsync());
        Assert.Equal(["accepted"], await worker.FinishAsync(TestWorker.End(first, "released")));
        Assert.Equal(["duplicate"], await worker.FinishAsync(TestWorker.End(first, "released")));

        var second = Assert.Single(await worker.ClaimAsync());

        Assert.Equal((1, 1), (first.GetProperty("attempt").GetInt32(), second.GetProperty("attempt").GetInt32()));
        Assert.NotEqual(first.GetProperty("fence").GetInt64(), second.GetProperty("fence").GetInt64());
        Assert.Equal(["lease_lost"], await worker.FinishAsync(TestWorker.End(first, "succeeded")));
        Assert.Equal(["accepted"], await worker.FinishAsync(TestWorker.End(second, "succeeded")));
    }

    [Fact]
    public async Task What_fails_is_tried_again_until_its_attempts_are_used_or_it_says_that_is_no_use()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync(new { max_attempts = 2, retry = new { initial_seconds = 0, jitter = 0 } });
        var hopeless = await worker.EnqueueAsync(new { kind = "hopeless" });
        var error = new
        {
            code = "paper_jam",
            message = "Tray 2.",
            detail = new { tray = 2 },
        };
        var first = await worker.ClaimAsync();
        await worker.FinishAsync(
            TestWorker.End(first[0], "failed", error: error),
            TestWorker.End(first[1], "failed", error: new { code = "no_address", retryable = false })
        );

        var again = Assert.Single(await worker.ClaimAsync());
        await worker.FinishAsync(TestWorker.End(again, "failed", error: error));

        var dead = await TestJobs.GetAsync(project, id);
        Assert.Equal(("failed", 2), (dead.State(), dead.GetProperty("attempts").GetArrayLength()));
        Assert.Equal("paper_jam", dead.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(2, dead.GetProperty("error").GetProperty("detail").GetProperty("tray").GetInt32());
        Assert.Equal("failed", (await TestJobs.GetAsync(project, hopeless)).State());
    }

    [Fact]
    public async Task A_snoozed_job_comes_later_without_an_attempt_used_and_a_thousand_are_the_most()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());
        await worker.FinishAsync(TestWorker.End(job, "snoozed", delay: 3600));

        var asleep = await TestJobs.GetAsync(project, id);
        await TestJobs.MakeDueAsync(project, id);
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET snoozes = 1000 WHERE project_id = @Id",
            new { project.Id }
        );
        await worker.FinishAsync(TestWorker.End(Assert.Single(await worker.ClaimAsync()), "snoozed", delay: 0));

        Assert.Equal(("ready", 0), (asleep.State(), asleep.GetProperty("attempt").GetInt32()));
        var over = await TestJobs.GetAsync(project, id);
        Assert.Equal(
            ("failed", "too_many_snoozes"),
            (over.State(), over.GetProperty("error").GetProperty("code").GetString())
        );
    }

    [Fact]
    public async Task One_bad_end_keeps_no_other_out_and_is_told_what_would_be_right()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());

        var (_, body) = await worker.PostAsync(
            "/v1/jobs/finish",
            new
            {
                jobs = new object[]
                {
                    TestWorker.End(job, "done"),
                    TestWorker.End(job, "snoozed", delay: 30 * 24 * 3600),
                    new
                    {
                        id = Guid.CreateVersion7(),
                        lease = job.GetProperty("lease"),
                        outcome = "succeeded",
                    },
                    new
                    {
                        id,
                        lease = new string('A', 32),
                        outcome = "succeeded",
                    },
                    new
                    {
                        id,
                        lease = "short",
                        outcome = "succeeded",
                    },
                    TestWorker.End(job, "succeeded"),
                },
            }
        );

        var results = body.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal(
            ["invalid", "invalid", "invalid", "lease_lost", "lease_lost", "accepted"],
            results.Select(result => result.GetProperty("status").GetString())
        );
        Assert.Equal(["invalid_outcome", "delay_out_of_range"], results.Take(2).Select(Code));
        Assert.Equal("not_found", results[2].GetProperty("problem").GetProperty("code").GetString());
        Assert.Equal("succeeded", (await TestJobs.GetAsync(project, id)).State());

        static string? Code(JsonElement result) =>
            result.GetProperty("problem").GetProperty("errors")[0].GetProperty("code").GetString();
    }

    [Theory]
    [InlineData("failed")]
    [InlineData("released")]
    [InlineData("snoozed")]
    public async Task An_end_told_after_the_job_was_taken_away_is_no_duplicate(string outcome)
    {
        var (project, worker) = await StartAsync();
        await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());
        await TestWorker.ExpireAsync(project);
        await service.SendAsync(project.Id, new RescueJobs.Command());

        Assert.Equal(["lease_lost"], await worker.FinishAsync(TestWorker.End(job, outcome, delay: 0)));
    }

    [Fact]
    public async Task A_duplicate_is_the_same_end_told_again_and_no_other()
    {
        var (_, worker) = await StartAsync();
        await worker.EnqueueAsync(new { retry = new { initial_seconds = 3600 } });
        var job = Assert.Single(await worker.ClaimAsync());
        Assert.Equal(["accepted"], await worker.FinishAsync(TestWorker.End(job, "failed")));

        Assert.Equal(["lease_lost"], await worker.FinishAsync(TestWorker.End(job, "released")));
        Assert.Equal(["duplicate"], await worker.FinishAsync(TestWorker.End(job, "failed")));
    }

    [Fact]
    public async Task What_failed_while_it_was_to_be_canceled_is_a_duplicate_when_it_is_told_again()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());
        await worker.PostAsync($"/v1/jobs/{id}/cancel", new { });
        var end = TestWorker.End(job, "failed", error: new { code = "stopped" });

        Assert.Equal(["accepted"], await worker.FinishAsync(end));

        Assert.Equal(["duplicate"], await worker.FinishAsync(end));
        Assert.Equal("canceled", (await TestJobs.GetAsync(project, id)).State());
        Assert.Equal(["lease_lost"], await worker.FinishAsync(TestWorker.End(job, "succeeded")));
    }

    [Fact]
    public async Task A_cancel_that_nobody_asked_for_is_refused_and_the_lease_is_still_good()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());

        var (_, body) = await worker.PostAsync(
            "/v1/jobs/finish",
            new { jobs = new[] { TestWorker.End(job, "canceled") } }
        );

        var result = body.GetProperty("results")[0];
        Assert.Equal("invalid", result.GetProperty("status").GetString());
        var error = result.GetProperty("problem").GetProperty("errors")[0];
        Assert.Equal(
            ("/outcome", "invalid_outcome"),
            (error.GetProperty("pointer").GetString(), error.GetProperty("code").GetString())
        );
        Assert.Equal("running", (await TestJobs.GetAsync(project, id)).State());
        Assert.Equal(["accepted"], await worker.FinishAsync(TestWorker.End(job, "released")));
    }

    private async Task<(TestProject, TestWorker)> StartAsync()
    {
        var project = await service.NewProjectAsync();
        return (project, await TestWorker.ForAsync(project, "mail"));
    }
}
