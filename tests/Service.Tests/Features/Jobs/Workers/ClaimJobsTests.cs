using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class ClaimJobsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_worker_is_given_what_is_due_and_nobody_else_is()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var id = await worker.EnqueueAsync(new { args = new { order = 7 }, priority = 1 });
        var later = await worker.EnqueueAsync(new { run_at = "2999-01-01T00:00:00Z" });

        var job = Assert.Single(await worker.ClaimAsync());

        Assert.Equal(id, job.GetProperty("id").GetGuid());
        Assert.Equal(7, job.GetProperty("args").GetProperty("order").GetInt32());
        Assert.Equal((1, 30), (job.GetProperty("attempt").GetInt32(), job.GetProperty("lease_seconds").GetInt32()));
        Assert.Empty(await new TestWorker(project.Http, "mail").ClaimAsync());
        Assert.Equal("running", (await TestJobs.GetAsync(project, id)).State());
        Assert.Equal("ready", (await TestJobs.GetAsync(project, later)).State());
    }

    [Theory]
    [InlineData("nowhere", "unknown_queue")]
    [InlineData("default", "not_of_workers")]
    public async Task A_claim_that_names_a_queue_that_is_not_the_workers_takes_nothing_of_the_others(
        string other,
        string code
    )
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var id = await worker.EnqueueAsync();

        var (status, body) = await worker.PostAsync(
            "/v1/jobs/claim",
            new
            {
                worker = new { id = worker.Id, name = "test" },
                claim_key = Guid.NewGuid(),
                queues = new[] { new { name = "mail" }, new { name = other } },
                max = 10,
            }
        );

        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Contains(code, body.ToString(), StringComparison.Ordinal);
        var job = Assert.Single(await worker.ClaimAsync());
        Assert.Equal((id, 1), (job.GetProperty("id").GetGuid(), job.GetProperty("attempt").GetInt32()));
    }

    [Fact]
    public async Task A_claim_that_is_sent_again_for_other_queues_is_not_answered_the_jobs_of_the_first()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var elsewhere = await TestWorker.ForAsync(project, "news");
        await worker.EnqueueAsync();
        var key = Guid.NewGuid();
        Assert.Single(await worker.ClaimAsync(key: key));

        Assert.Empty(await new TestWorker(project.Http, "news", worker.Id).ClaimAsync(key: key));
        Assert.Single(await worker.ClaimAsync(key: key));
        Assert.NotEqual(worker.Id, elsewhere.Id);
    }

    [Fact]
    public async Task A_worker_holds_a_thousand_jobs_at_most()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, args)
            SELECT q.project_id, new_id(), q.queue_id, now(), 1, 20, 'test', json_build_object()
            FROM queues q, generate_series(1, 1030)
            WHERE q.project_id = @Id AND q.name = 'mail'
            """,
            new { project.Id }
        );
        var held = 0;
        int some;
        do
        {
            some = (await worker.AskAsync(max: 70)) is (HttpStatusCode.OK, var body)
                ? body.GetProperty("jobs").GetArrayLength()
                : 0;
            held += some;
        } while (some > 0);

        Assert.Equal(1_000, held);
        Assert.Equal(HttpStatusCode.Conflict, (await worker.AskAsync()).Status);
    }

    [Fact]
    public async Task An_id_or_key_of_zeros_is_refused_by_name()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");

        var (status, body) = await worker.AskAsync(key: Guid.Empty);
        var (other, otherBody) = await new TestWorker(project.Http, "mail", Guid.Empty).AskAsync();

        Assert.Equal((HttpStatusCode.UnprocessableEntity, HttpStatusCode.UnprocessableEntity), (status, other));
        Assert.Contains("/claim_key", body.ToString(), StringComparison.Ordinal);
        Assert.Contains("/worker/id", otherBody.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Jobs_that_another_statement_has_in_hand_are_left_to_it()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var id = await worker.EnqueueAsync();
        await using (var connection = await service.Database.OpenConnectionAsync(Token))
        {
            await using var transaction = await connection.BeginTransactionAsync(Token);
            await connection.ExecuteAsync("SELECT FROM jobs WHERE id = @id FOR UPDATE".With(new { id }, Token));

            Assert.Empty(await worker.ClaimAsync());
        }

        Assert.Equal(id, Assert.Single(await worker.ClaimAsync()).GetProperty("id").GetGuid());
    }

    [Fact]
    public async Task The_same_claim_key_is_answered_the_same_jobs_and_leases()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var first = await worker.EnqueueAsync();
        var key = Guid.NewGuid();
        var once = await worker.ClaimAsync(max: 1, key: key);
        await worker.EnqueueAsync();

        var again = await worker.ClaimAsync(max: 5, key: key);
        var others = await new TestWorker(project.Http, "mail").ClaimAsync(max: 5, key: key);

        Assert.Equal(first, Assert.Single(once).GetProperty("id").GetGuid());
        Assert.Equal(once[0].GetRawText(), Assert.Single(again).GetRawText());
        Assert.DoesNotContain(others, job => job.GetProperty("id").GetGuid() == first);
    }

    /// <summary>Who was told a moment ago that there is nothing waits without a look of his own.</summary>
    [Fact]
    public async Task A_claim_that_comes_again_is_answered_although_its_worker_was_told_nothing_since()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var key = Guid.NewGuid();
        var id = await worker.EnqueueAsync();
        Assert.Single(await worker.ClaimAsync(key: key));
        for (var looks = 0; looks < 3; looks++)
        {
            Assert.Empty(await worker.ClaimAsync(wait: 1));
        }

        var again = Assert.Single(await worker.ClaimAsync(key: key, wait: 30).WaitAsync(Eventually.Patience, Token));

        Assert.Equal(id, again.GetProperty("id").GetGuid());
    }

    [Fact]
    public async Task A_worker_that_asks_over_and_over_is_given_what_comes_in_between_and_told_what_it_is_to_do()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        Assert.Empty(await worker.ClaimAsync(wait: 1));
        for (var round = 0; round < 3; round++)
        {
            var claim = worker.ClaimAsync(wait: 30);
            var id = await worker.EnqueueAsync();
            var job = Assert.Single(await claim.WaitAsync(Eventually.Patience, Token));
            Assert.Equal(id, job.GetProperty("id").GetGuid());
            Assert.Equal(["accepted"], await worker.FinishAsync(TestWorker.End(job, "succeeded")));
            Assert.Empty(await worker.ClaimAsync(wait: 1));
        }

        var told = worker.ClaimAsync(wait: 30);
        (await project.Http.PostAsync($"/v1/workers/{worker.Id}/quiet", "{}")).Expect(HttpStatusCode.OK);
        Assert.Empty(await told.WaitAsync(Eventually.Patience, Token));
    }

    [Fact]
    public async Task A_call_that_waits_is_answered_when_a_job_comes()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var claim = worker.ClaimAsync(wait: 30);
        var parked = worker.ClaimAsync(wait: 1);
        Assert.Empty(await parked.WaitAsync(Eventually.Patience, Token));

        var id = await worker.EnqueueAsync();

        var job = Assert.Single(await claim.WaitAsync(Eventually.Patience, Token));
        Assert.Equal(id, job.GetProperty("id").GetGuid());
    }

    [Fact]
    public async Task What_was_claimed_for_a_worker_that_hung_up_is_there_for_the_next_with_its_attempt_back()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        using (var gone = CancellationTokenSource.CreateLinkedTokenSource(Token))
        {
            var call = project.Http.PostAsJsonAsync(
                "/v1/jobs/claim",
                new
                {
                    worker = new { id = Guid.NewGuid(), name = "gone" },
                    claim_key = Guid.NewGuid(),
                    queues = new[] { new { name = "mail" } },
                    wait_seconds = 30,
                },
                gone.Token
            );
            Assert.Empty(await worker.ClaimAsync()); // the call above is on its way
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        }

        await worker.EnqueueAsync();

        var job = Assert.Single(await worker.ClaimAsync(wait: 30));
        Assert.Equal(1, job.GetProperty("attempt").GetInt32());
    }

    [Fact]
    public async Task A_limit_of_the_queue_holds_over_all_workers()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail", new { max_running = 3 });
        for (var number = 0; number < 6; number++)
        {
            await worker.EnqueueAsync();
        }

        var claims = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => new TestWorker(project.Http, "mail").ClaimAsync(max: 2))
        );
        var running = claims.SelectMany(jobs => jobs).Concat(await worker.ClaimAsync()).ToArray();

        Assert.Equal(3, running.Length);
        Assert.Empty(await worker.ClaimAsync());
        await worker.FinishAsync(TestWorker.End(running[0], "succeeded"));
        Assert.Single(await worker.ClaimAsync());
    }

    [Fact]
    public async Task Workers_that_wait_are_given_all_that_a_rate_allows()
    {
        var project = await service.NewProjectAsync();
        await TestWorker.ForAsync(
            project,
            "mail",
            new
            {
                rate = new
                {
                    count = 20,
                    seconds = 1,
                    burst = 2,
                },
            }
        );
        var first = new TestWorker(project.Http, "mail");
        for (var count = 0; count < 40; count++)
        {
            await first.EnqueueAsync();
        }

        var began = Stopwatch.GetTimestamp();
        var started = 0;
        await Task.WhenAll(
            Enumerable
                .Range(0, 3)
                .Select(async _ =>
                {
                    var worker = new TestWorker(project.Http, "mail");
                    while (Volatile.Read(ref started) < 40)
                    {
                        var jobs = await worker.ClaimAsync(max: 5, wait: 1);
                        Interlocked.Add(ref started, jobs.Length);
                    }
                })
        );

        // two at once and the others over two seconds; on a second's looks alone it were twenty
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 1.8, 8);
    }

    [Fact]
    public async Task A_rate_counts_starts_and_leaves_a_burst()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(
            project,
            "mail",
            new
            {
                rate = new
                {
                    count = 1,
                    seconds = 3600,
                    burst = 2,
                },
            }
        );
        for (var number = 0; number < 4; number++)
        {
            await worker.EnqueueAsync();
        }

        Assert.Equal(2, (await worker.ClaimAsync()).Length);
        Assert.Empty(await worker.ClaimAsync());
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE queue_rates SET next_at = next_at - interval '1 hour' WHERE project_id = @Id",
            new { project.Id }
        );
        Assert.Single(await worker.ClaimAsync());
        Assert.Empty(await worker.ClaimAsync());
    }

    [Fact]
    public async Task A_job_that_was_to_start_before_now_is_expired_and_not_handed_out()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var id = await worker.EnqueueAsync(new { start_before = "2999-01-01T00:00:00Z" });
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET start_before = now() - interval '1 second' WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, Id = id }
        );

        Assert.Empty(await worker.ClaimAsync());

        Assert.Equal("expired", (await TestJobs.GetAsync(project, id)).State());
    }

    [Fact]
    public async Task A_job_that_was_lost_twice_is_tried_alone()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var lost = new Dictionary<Guid, int>();
        foreach (var times in (int[])[2, 2, 1, 0])
        {
            var id = await worker.EnqueueAsync();
            lost[id] = times;
            await TestJobs.ExecuteAsync(
                service.Database,
                "UPDATE jobs SET lost = @Times WHERE project_id = @ProjectId AND id = @Id",
                new
                {
                    ProjectId = project.Id,
                    Id = id,
                    Times = times,
                }
            );
        }

        var first = await worker.ClaimAsync();
        var more = await worker.ClaimAsync();
        await worker.FinishAsync([.. first.Select(job => TestWorker.End(job, "succeeded"))]);
        var second = await worker.ClaimAsync();

        Assert.Equal([2, 0], first.Select(Times));
        Assert.Empty(more);
        Assert.Equal([2], second.Select(Times));

        int Times(JsonElement job) => lost[job.GetProperty("id").GetGuid()];
    }

    [Fact]
    public async Task A_job_that_was_lost_twice_is_tried_alone_on_a_queue_with_a_limit_too()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail", new { max_running = 5 });
        var suspect = await worker.EnqueueAsync();
        var once = await worker.EnqueueAsync();
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET lost = CASE WHEN id = @Suspect THEN 2 ELSE 1 END WHERE project_id = @ProjectId",
            new { ProjectId = project.Id, Suspect = suspect }
        );

        var alone = Assert.Single(await worker.ClaimAsync());
        Assert.Empty(await worker.ClaimAsync());
        await worker.FinishAsync(TestWorker.End(alone, "succeeded"));
        var other = Assert.Single(await worker.ClaimAsync());

        Assert.Equal((suspect, once), (alone.GetProperty("id").GetGuid(), other.GetProperty("id").GetGuid()));
    }

    /// <summary>Each of three hundred turns is the oldest one's by a chance of one in sixteen.</summary>
    [Fact]
    public async Task Who_claims_one_at_a_time_does_not_leave_the_oldest_job_behind_urgent_ones_for_ever()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var old = await worker.EnqueueAsync(new { priority = 4 });
        var urgent = Enumerable
            .Range(0, 300)
            .Select(_ => new
            {
                queue = "mail",
                kind = "letter",
                priority = 1,
            })
            .ToArray();
        var (status, _) = await worker.PostAsync("/v1/jobs/bulk", new { jobs = urgent });
        Assert.Equal(HttpStatusCode.OK, status);

        var claimed = new HashSet<Guid>();
        while (claimed.Count < urgent.Length && !claimed.Contains(old))
        {
            claimed.Add(Assert.Single(await worker.ClaimAsync(max: 1)).GetProperty("id").GetGuid());
        }

        Assert.Contains(old, claimed);
    }

    [Fact]
    public async Task A_job_that_began_in_time_and_failed_is_tried_again_after_that_time()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var id = await worker.EnqueueAsync(
            new { start_before = "2999-01-01T00:00:00Z", retry = new { initial_seconds = 0, jitter = 0 } }
        );
        await worker.FinishAsync(TestWorker.End(Assert.Single(await worker.ClaimAsync()), "failed"));
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET start_before = now() - interval '1 second' WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, Id = id }
        );
        await service.SendAsync(project.Id, new ExpireJobs.Command());

        Assert.Equal(2, Assert.Single(await worker.ClaimAsync()).GetProperty("attempt").GetInt32());
    }

    [Theory]
    [InlineData("default", "not_of_workers", HttpStatusCode.UnprocessableEntity)]
    [InlineData("nowhere", "unknown_queue", HttpStatusCode.UnprocessableEntity)]
    public async Task Only_queues_of_workers_are_claimed_from(string queue, string code, HttpStatusCode status)
    {
        var project = await service.NewProjectAsync();

        var (answered, body) = await new TestWorker(project.Http, queue).AskAsync();

        Assert.Equal((status, code), (answered, body.GetProperty("code").GetString()));
        Assert.Equal("/queues/0/name", body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Fact]
    public async Task A_key_for_other_queues_and_one_of_another_project_reach_nothing()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var id = await worker.EnqueueAsync();
        var held = Assert.Single(await worker.ClaimAsync());
        await project.UseKeyAsync("worker");
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            UPDATE api_keys SET access = json_build_object('queues', ARRAY['other']) WHERE project_id = @Id AND role = 'worker'
            """,
            new { project.Id }
        );
        var stranger = await service.NewProjectAsync();
        await TestWorker.ForAsync(stranger, "mail");

        var narrowed = new TestWorker(project.Http, "mail", worker.Id);
        var (status, body) = await narrowed.AskAsync();
        var strange = new TestWorker(stranger.Http, "mail", worker.Id);

        Assert.Equal((HttpStatusCode.Forbidden, "queue_not_allowed"), (status, body.GetProperty("code").GetString()));
        Assert.Empty(await strange.ClaimAsync());
        foreach (var other in (TestWorker[])[narrowed, strange])
        {
            Assert.Equal(["invalid"], await other.FinishAsync(TestWorker.End(held, "succeeded")));
            Assert.Equal(
                "lost",
                Assert
                    .Single(await other.BeatAsync(new { id, lease = held.GetProperty("lease") }))
                    .GetProperty("status")
                    .GetString()
            );
        }
    }

    [Theory]
    [InlineData("""{"claim_key":"5d1f0c6e-93b7-4e28-8a40-c7f2169be305","queues":[{"name":"m"}]}""", "/worker")]
    [InlineData(
        """{"worker":{"id":"5d1f0c6e-93b7-4e28-8a40-c7f2169be305","name":"w"},"queues":[{"name":"m"}]}""",
        "/claim_key"
    )]
    [InlineData(
        """{"worker":{"id":"5d1f0c6e-93b7-4e28-8a40-c7f2169be305","name":"w"},"claim_key":"5d1f0c6e-93b7-4e28-8a40-c7f2169be305","queues":[]}""",
        "/queues"
    )]
    [InlineData(
        """{"worker":{"id":"5d1f0c6e-93b7-4e28-8a40-c7f2169be305","name":"w"},"claim_key":"5d1f0c6e-93b7-4e28-8a40-c7f2169be305","queues":[{"name":"m"}],"max":101}""",
        "/max"
    )]
    [InlineData(
        """{"worker":{"id":"5d1f0c6e-93b7-4e28-8a40-c7f2169be305","name":"w"},"claim_key":"5d1f0c6e-93b7-4e28-8a40-c7f2169be305","queues":[{"name":"m"}],"wait_seconds":31}""",
        "/wait_seconds"
    )]
    public async Task What_is_out_of_range_is_refused_and_nothing_is_clamped(string claim, string pointer)
    {
        var project = await service.NewProjectAsync();

        var response = await project.Http.PostAsync(
            "/v1/jobs/claim",
            new StringContent(claim, null, "application/json"),
            Token
        );

        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal(pointer, body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }
}
