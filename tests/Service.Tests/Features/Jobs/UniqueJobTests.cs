using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class UniqueJobTests(ServiceFixture service)
{
    [Fact]
    public async Task A_key_is_held_until_the_end_whatever_happens_to_the_job_before()
    {
        var (_, worker) = await StartAsync();
        var unique = new { unique = new { key = "invoice-7" } };
        var id = await worker.EnqueueAsync(unique);

        Assert.Equal(id, await worker.EnqueueAsync(unique));
        var job = Assert.Single(await worker.ClaimAsync());
        Assert.Equal(id, await worker.EnqueueAsync(unique));
        await worker.FinishAsync(TestWorker.End(job, "released"));
        Assert.Equal(id, await worker.EnqueueAsync(unique));
        await worker.FinishAsync(TestWorker.End(Assert.Single(await worker.ClaimAsync()), "succeeded"));

        Assert.NotEqual(id, await worker.EnqueueAsync(unique));
    }

    [Fact]
    public async Task A_key_is_held_through_failures_losses_and_pauses_and_never_twice()
    {
        var (project, worker) = await StartAsync();
        var unique = new
        {
            unique = new { key = "invoice-7" },
            max_attempts = 4,
            retry = new { initial_seconds = 0, jitter = 0 },
        };
        var id = await worker.EnqueueAsync(unique);
        foreach (var end in (string[])["failed", "failed", "failed", "lost", "snoozed"])
        {
            await TestJobs.MakeDueAsync(project, id);
            var job = Assert.Single(await worker.ClaimAsync(wait: 20));
            if (end == "lost")
            {
                await TestWorker.ExpireAsync(project);
                await service.SendAsync(project.Id, new RescueJobs.Command());
            }
            else
            {
                await worker.FinishAsync(TestWorker.End(job, end, delay: end == "snoozed" ? 3600 : null));
            }

            Assert.Equal(id, await worker.EnqueueAsync(unique));
        }

        await TestJobs.MakeDueAsync(project, id);
        var last = Assert.Single(await worker.ClaimAsync(wait: 20));
        await worker.FinishAsync(TestWorker.End(last, "failed", error: new { code = "no_use", retryable = false }));
        Assert.Equal("failed", (await TestJobs.GetAsync(project, id)).State());
        var (retried, _) = await worker.PostAsync($"/v1/jobs/{id}/retry", new { });

        Assert.Equal(HttpStatusCode.OK, retried);
        Assert.Equal(id, await worker.EnqueueAsync(unique));
        Assert.Single(await worker.ClaimAsync(wait: 20));
        Assert.Empty(await worker.ClaimAsync());
    }

    [Fact]
    public async Task A_key_until_the_start_is_free_once_the_job_is_claimed()
    {
        var (_, worker) = await StartAsync();
        var unique = new { unique = new { key = "sync", until = "start" } };
        var id = await worker.EnqueueAsync(unique);

        Assert.Equal(id, await worker.EnqueueAsync(unique));
        Assert.Single(await worker.ClaimAsync());

        Assert.NotEqual(id, await worker.EnqueueAsync(unique));
    }

    [Fact]
    public async Task A_key_for_seconds_outlives_the_job_and_ends_by_itself()
    {
        var (project, worker) = await StartAsync();
        var unique = new
        {
            unique = new
            {
                key = "hourly",
                until = "seconds",
                seconds = 3600,
            },
        };
        var id = await worker.EnqueueAsync(unique);
        await worker.FinishAsync(TestWorker.End(Assert.Single(await worker.ClaimAsync()), "succeeded"));

        Assert.Equal(id, await worker.EnqueueAsync(unique));
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE job_keys SET expires_at = now() - interval '1 second' WHERE project_id = @Id",
            new { project.Id }
        );

        Assert.NotEqual(id, await worker.EnqueueAsync(unique));
    }

    [Fact]
    public async Task The_last_of_a_burst_takes_the_place_of_those_before_it_until_one_has_begun()
    {
        var (_, worker) = await StartAsync();
        var first = await worker.EnqueueAsync(Burst(1));

        Assert.Equal(first, await worker.EnqueueAsync(Burst(2)));
        var job = Assert.Single(await worker.ClaimAsync());
        var (status, body) = await worker.PostAsync(
            "/v1/jobs",
            new
            {
                queue = "mail",
                kind = "letter",
                unique = new { key = "digest", on_conflict = "replace" },
            }
        );

        Assert.Equal(
            (first, 2),
            (job.GetProperty("id").GetGuid(), job.GetProperty("args").GetProperty("version").GetInt32())
        );
        Assert.Equal((HttpStatusCode.Conflict, "key_taken"), (status, body.GetProperty("code").GetString()));

        static object Burst(int version) =>
            new { args = new { version }, unique = new { key = "digest", on_conflict = "replace" } };
    }

    [Fact]
    public async Task What_takes_a_place_is_all_that_was_asked_for()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync(
            new
            {
                unique = new { key = "digest" },
                lane = "customer-1",
                tags = new[] { "old" },
                start_before = "2998-01-01T00:00:00Z",
                retry = new { initial_seconds = 3600, jitter = 0 },
            }
        );
        var job = Assert.Single(await worker.ClaimAsync());
        await worker.BeatAsync(
            new
            {
                id,
                lease = job.GetProperty("lease"),
                checkpoint = new { page = 7 },
                note = "page 7",
            }
        );
        await worker.FinishAsync(TestWorker.End(job, "failed"));

        var replaced = await worker.EnqueueAsync(
            new
            {
                kind = "card",
                priority = 1,
                max_attempts = 7,
                lane = "customer-2",
                tags = new[] { "new" },
                start_before = "2999-01-01T00:00:00Z",
                retry = new { initial_seconds = 5, jitter = 0 },
                unique = new
                {
                    key = "digest",
                    until = "seconds",
                    seconds = 3600,
                    on_conflict = "replace",
                },
            }
        );

        Assert.Equal(id, replaced);
        Assert.Equal(
            ("card 1 7 0 customer-2 {new} 2999", "5", true, true, true),
            await TestJobs.QueryAsync<(string, string, bool, bool, bool)>(
                service.Database,
                """
                SELECT concat_ws(' ', j.kind, j.priority, j.max_attempts, j.attempt, j.lane, j.tags,
                        extract(year FROM j.start_before)),
                    j.retry ->> 'initial_seconds', j.checkpoint IS NULL AND j.note IS NULL, j.run_at <= now(),
                    j.unique_key ->> 'until' = 'seconds' AND k.until = 2 AND k.expires_at < now() + interval '1 hour'
                FROM jobs j
                JOIN job_keys k ON k.project_id = j.project_id AND k.job_id = j.id
                WHERE j.project_id = @ProjectId AND j.id = @Id
                """,
                new { ProjectId = project.Id, Id = id }
            )
        );
        var again = Assert.Single(await worker.ClaimAsync());
        Assert.Equal(1, again.GetProperty("attempt").GetInt32());
    }

    [Fact]
    public async Task What_is_held_stays_so_when_its_place_is_taken()
    {
        var (project, worker) = await StartAsync();
        var held = await worker.EnqueueAsync(new { held = true, unique = new { key = "digest" } });
        var ready = await worker.EnqueueAsync(new { unique = new { key = "report" } });

        await worker.EnqueueAsync(new { unique = new { key = "digest", on_conflict = "replace" } });
        await worker.EnqueueAsync(new { held = true, unique = new { key = "report", on_conflict = "replace" } });

        foreach (var id in (Guid[])[held, ready])
        {
            Assert.Equal("held", (await TestJobs.GetAsync(project, id)).GetProperty("wait_reason").GetString());
        }
    }

    [Theory]
    [InlineData("depends_on")]
    [InlineData("blocks")]
    public async Task What_may_take_a_place_waits_for_no_others_and_is_put_before_none(string member)
    {
        var (_, worker) = await StartAsync();
        var other = await worker.EnqueueAsync(new { held = true });

        var (status, body) = await worker.PostAsync(
            "/v1/jobs",
            new Dictionary<string, object>
            {
                ["queue"] = "mail",
                ["kind"] = "letter",
                ["unique"] = new { key = "digest", on_conflict = "replace" },
                [member] = new[] { other },
            }
        );

        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Equal($"/{member}", body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Fact]
    public async Task A_taken_key_is_refused_where_that_is_asked_for()
    {
        var (_, worker) = await StartAsync();
        var job = new
        {
            queue = "mail",
            kind = "letter",
            unique = new { key = "once", on_conflict = "reject" },
        };

        var made = await worker.PostAsync("/v1/jobs", job);
        var again = await worker.PostAsync("/v1/jobs", job);

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.Conflict), (made.Status, again.Status));
        Assert.Equal("/unique/key", again.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Theory]
    [InlineData("keep")]
    [InlineData("reject")]
    [InlineData("replace")]
    public async Task A_key_that_no_job_holds_is_taken(string onConflict)
    {
        var (project, worker) = await StartAsync();
        await HoldAsync(project, until: 1);

        var (status, body) = await worker.PostAsync("/v1/jobs", Keyed("mail", onConflict));

        Assert.Equal(HttpStatusCode.Created, status);
        Assert.Equal(
            body.GetProperty("id").GetGuid(),
            await worker.EnqueueAsync(new { unique = new { key = "once" } })
        );
    }

    [Fact]
    public async Task A_key_for_seconds_is_held_on_when_nothing_else_is_left_of_its_job()
    {
        var (project, worker) = await StartAsync();
        await HoldAsync(project, until: 2);

        var (kept, holder) = await worker.PostAsync("/v1/jobs", Keyed("mail", "keep"));
        var (refused, _) = await worker.PostAsync("/v1/jobs", Keyed("mail", "replace"));

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Conflict), (kept, refused));
        Assert.Equal((project.Id, "canceled"), (holder.GetProperty("id").GetGuid(), holder.State()));
    }

    [Theory]
    [InlineData("keep")]
    [InlineData("reject")]
    [InlineData("replace")]
    public async Task A_holder_on_a_queue_beyond_the_callers_reach_is_not_told(string onConflict)
    {
        var (project, worker) = await StartAsync();
        var holder = await worker.EnqueueAsync(new { unique = new { key = "once" } });
        await TestWorker.ForAsync(project, "letters");
        await TestJobs.NarrowAsync(project, "letters", "developer");

        var (status, body) = await TestWorker.PostAsync(project.Http, "/v1/jobs", Keyed("letters", onConflict));

        Assert.Equal((HttpStatusCode.Conflict, "key_taken"), (status, body.GetProperty("code").GetString()));
        Assert.DoesNotContain($"{holder}", body.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("ready", body.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_a_thousand_with_five_hundred_keys_twice_five_hundred_are_made_and_each_duplicate_is_told_the_holder()
    {
        var (_, worker) = await StartAsync();
        var jobs = Enumerable
            .Range(0, 1000)
            .Select(number => new
            {
                queue = "mail",
                kind = "letter",
                unique = new { key = $"k{number % 500}" },
            })
            .ToArray();

        var calls = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => worker.PostAsync("/v1/jobs/bulk", new { jobs }))
        );

        var ids = calls
            .Select(call =>
                call.Body.GetProperty("results")
                    .EnumerateArray()
                    .Select(one => one.GetProperty("id").GetGuid())
                    .ToArray()
            )
            .ToArray();
        Assert.All(calls, call => Assert.Equal(HttpStatusCode.OK, call.Status));
        Assert.All(ids, all => Assert.Equal(all.Take(500), all.Skip(500)));
        Assert.Equal(500, ids.SelectMany(all => all).Distinct().Count());
        Assert.Equal(
            500,
            calls.Sum(call =>
                call.Body.GetProperty("results")
                    .EnumerateArray()
                    .Count(one => one.GetProperty("status").GetInt32() == 201)
            )
        );
    }

    [Theory]
    [InlineData("""{"key":""}""", "/unique/key")]
    [InlineData("""{"key":"a","until":"never"}""", "/unique/until")]
    [InlineData("""{"key":"a","until":"seconds"}""", "/unique/seconds")]
    [InlineData("""{"key":"a","seconds":5}""", "/unique/seconds")]
    [InlineData("""{"key":"a","on_conflict":"fight"}""", "/unique/on_conflict")]
    public async Task What_is_wrong_with_a_key_is_said(string unique, string pointer)
    {
        var project = await service.NewProjectAsync();
        using var content = new StringContent($$"""{"kind":"noop","unique":{{unique}}}""", null, "application/json");

        var answer = await project.Http.PostAsync("/v1/jobs", content, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        Assert.Contains(
            $"\"{pointer}\"",
            await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal
        );
    }

    private static object Keyed(string queue, string onConflict) =>
        new
        {
            queue,
            kind = "letter",
            unique = new { key = "once", on_conflict = onConflict },
        };

    /// <summary>A key <c>once</c> whose job there is not: its id is the project's.</summary>
    private Task<int> HoldAsync(TestProject project, int until) =>
        TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO job_keys (project_id, key, job_id, until, expires_at)
            VALUES (@Id, 'once', @Id, @Until, CASE @Until WHEN 2 THEN now() + interval '1 hour' ELSE 'infinity' END)
            """,
            new { project.Id, Until = until }
        );

    private async Task<(TestProject, TestWorker)> StartAsync()
    {
        var project = await service.NewProjectAsync();
        return (project, await TestWorker.ForAsync(project, "mail"));
    }
}
