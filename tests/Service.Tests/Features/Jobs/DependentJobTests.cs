using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class DependentJobTests(ServiceFixture service)
{
    [Fact]
    public async Task A_job_waits_until_all_it_depends_on_have_succeeded()
    {
        var (project, worker) = await StartAsync();
        var parents = new[] { await worker.EnqueueAsync(), await worker.EnqueueAsync() };
        var child = await worker.EnqueueAsync(new { depends_on = parents });
        var jobs = await worker.ClaimAsync();

        await worker.FinishAsync(TestWorker.End(jobs[0], "succeeded"));
        Assert.Equal("waiting", (await TestJobs.GetAsync(project, child)).State());
        Assert.Empty(await worker.ClaimAsync());
        await worker.FinishAsync(TestWorker.End(jobs[1], "succeeded"));

        Assert.Equal(child, Id(Assert.Single(await worker.ClaimAsync(wait: 20))));
    }

    [Fact]
    public async Task When_a_parent_fails_its_children_are_canceled_and_theirs_in_turn()
    {
        var (project, worker) = await StartAsync();
        var parent = await worker.EnqueueAsync();
        var child = await worker.EnqueueAsync(new { depends_on = new[] { parent } });
        var grandchild = await worker.EnqueueAsync(new { depends_on = new[] { child } });
        var after = await worker.EnqueueAsync(new { depends_on = new[] { parent }, depends_when = "finished" });
        var rescue = await worker.EnqueueAsync(new { depends_on = new[] { parent }, depends_when = "failed" });

        await FailAsync(worker, Assert.Single(await worker.ClaimAsync()));

        await TestJobs.BecomeAsync(project, grandchild, "canceled");
        Assert.Equal("parent_failed", (await TestJobs.GetAsync(project, child)).GetProperty("reason").GetString());
        var ready = await worker.ClaimAsync(wait: 20);
        Assert.Equal(new[] { after, rescue }.Order(), ready.Select(Id).Order());
    }

    /// <summary>A callback is enqueued first, and freed when all its members are there.</summary>
    [Fact]
    public async Task A_callback_runs_once_when_all_of_its_batch_have_succeeded_a_retried_one_among_them()
    {
        var (project, worker) = await StartAsync();
        var callback = await worker.EnqueueAsync(new { held = true, on_parent_failure = "wait" });
        var (_, made) = await worker.PostAsync(
            "/v1/jobs/bulk",
            new
            {
                jobs = Enumerable
                    .Range(0, 20)
                    .Select(_ => new
                    {
                        queue = "mail",
                        kind = "letter",
                        blocks = new[] { callback },
                    }),
            }
        );
        Assert.Equal(20, made.GetProperty("succeeded").GetInt32());
        await worker.PostAsync($"/v1/jobs/{callback}/free", new { });
        var members = await worker.ClaimAsync(max: 20);
        await worker.FinishAsync([.. members.Skip(1).Select(job => TestWorker.End(job, "succeeded"))]);
        await FailAsync(worker, members[0]);
        await Eventually.BeTrueAsync(async () => await BrokenAsync(project) == 1, "the callback knows of the failure");
        Assert.Empty(await worker.ClaimAsync());

        await worker.PostAsync($"/v1/jobs/{Id(members[0])}/retry", new { });
        await worker.FinishAsync(TestWorker.End(Assert.Single(await worker.ClaimAsync(wait: 20)), "succeeded"));

        Assert.Equal(callback, Id(Assert.Single(await worker.ClaimAsync(wait: 20))));
        Assert.Empty(await worker.ClaimAsync());
    }

    [Fact]
    public async Task A_request_may_hold_a_small_graph()
    {
        var (_, worker) = await StartAsync();

        var (_, made) = await worker.PostAsync(
            "/v1/jobs/bulk?atomic=true",
            new
            {
                jobs = new object[] { Job("extract"), Job("left", "#0"), Job("right", "#0"), Job("load", "#1", "#2") },
            }
        );

        Assert.Equal(4, made.GetProperty("succeeded").GetInt32());
        var order = new List<string>();
        while (order.Count < 4)
        {
            var jobs = await worker.ClaimAsync(wait: 20);
            order.Add(
                string.Join('+', jobs.Select(job => job.GetProperty("kind").GetString()).Order(StringComparer.Ordinal))
            );
            await worker.FinishAsync([.. jobs.Select(job => TestWorker.End(job, "succeeded"))]);
            if (order[^1] == "load")
            {
                break;
            }
        }

        Assert.Equal("extract", order[0]);
        Assert.Equal("load", order[^1]);

        static object Job(string kind, params string[] parents) =>
            new
            {
                queue = "mail",
                kind,
                depends_on = parents,
            };
    }

    [Fact]
    public async Task What_is_over_counts_as_it_ended_and_what_is_not_there_is_refused()
    {
        var (project, worker) = await StartAsync();
        var good = await worker.EnqueueAsync();
        var bad = await worker.EnqueueAsync();
        var jobs = (await worker.ClaimAsync()).ToDictionary(Id);
        await worker.FinishAsync(TestWorker.End(jobs[good], "succeeded"));
        await FailAsync(worker, jobs[bad]);

        var after = await worker.EnqueueAsync(new { depends_on = new[] { good } });
        var refused = await PostAsync(bad.ToString());
        var unknown = await PostAsync(Guid.CreateVersion7().ToString());
        var place = await PostAsync("#0");

        Assert.Equal("ready", (await TestJobs.GetAsync(project, after)).State());
        Assert.Equal((HttpStatusCode.Conflict, "parent_failed"), refused);
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "unknown_job"), unknown);
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "unknown_job"), place);

        async Task<(HttpStatusCode, string?)> PostAsync(string parent)
        {
            var (status, body) = await worker.PostAsync(
                "/v1/jobs",
                new
                {
                    queue = "mail",
                    kind = "letter",
                    depends_on = new[] { parent },
                }
            );
            return (status, body.GetProperty("code").GetString());
        }
    }

    [Fact]
    public async Task A_parent_of_another_project_is_no_parent()
    {
        var (_, worker) = await StartAsync();
        var (_, stranger) = await StartAsync();
        var theirs = await stranger.EnqueueAsync(new { held = true });

        var (depends, _) = await worker.PostAsync(
            "/v1/jobs",
            new
            {
                queue = "mail",
                kind = "a",
                depends_on = new[] { theirs },
            }
        );
        var (blocks, _) = await worker.PostAsync(
            "/v1/jobs",
            new
            {
                queue = "mail",
                kind = "a",
                blocks = new[] { theirs },
            }
        );

        Assert.Equal((HttpStatusCode.UnprocessableEntity, HttpStatusCode.Conflict), (depends, blocks));
    }

    [Fact]
    public async Task A_child_that_was_canceled_and_retried_waits_for_nobody_any_more()
    {
        var (project, worker) = await StartAsync();
        var parent = await worker.EnqueueAsync();
        var child = await worker.EnqueueAsync(new { depends_on = new[] { parent }, on_parent_failure = "wait" });
        await FailAsync(worker, Assert.Single(await worker.ClaimAsync()));
        foreach (var act in (string[])["cancel", "retry", "hold", "free"])
        {
            var (status, body) = await worker.PostAsync($"/v1/jobs/{child}/{act}", new { });
            Assert.True(status == HttpStatusCode.OK, body.ToString());
        }

        Assert.Equal("ready", (await TestJobs.GetAsync(project, child)).State());
    }

    [Fact]
    public async Task What_waits_for_a_job_is_told_that_it_was_lost_for_good()
    {
        var (project, worker) = await StartAsync();
        var parent = await worker.EnqueueAsync();
        var child = await worker.EnqueueAsync(new { depends_on = new[] { parent } });
        for (var times = 0; times < 3; times++)
        {
            Assert.Single(await worker.ClaimAsync());
            await TestWorker.ExpireAsync(project);
            await service.SendAsync(project.Id, new RescueJobs.Command());
            await TestJobs.MakeDueAsync(project, parent);
        }

        await TestJobs.BecomeAsync(project, child, "canceled");
    }

    [Fact]
    public async Task A_child_that_came_after_its_parent_had_failed_is_reached_by_the_end_of_the_retried_one()
    {
        var (project, worker) = await StartAsync();
        var parent = await worker.EnqueueAsync();
        await FailAsync(worker, Assert.Single(await worker.ClaimAsync()));
        var child = await worker.EnqueueAsync(new { depends_on = new[] { parent }, on_parent_failure = "wait" });
        Assert.Equal(1, await BrokenAsync(project));

        await worker.PostAsync($"/v1/jobs/{parent}/retry", new { });
        Assert.Equal(0, await BrokenAsync(project));
        await worker.FinishAsync(TestWorker.End(Assert.Single(await worker.ClaimAsync(wait: 20)), "succeeded"));

        Assert.Equal(child, Id(Assert.Single(await worker.ClaimAsync(wait: 20))));
    }

    [Fact]
    public async Task A_job_that_an_operator_held_needs_the_success_of_what_is_put_before_it()
    {
        var (project, worker) = await StartAsync();
        var held = await worker.EnqueueAsync();
        await worker.PostAsync($"/v1/jobs/{held}/hold", new { });
        var before = await worker.EnqueueAsync(new { blocks = new[] { held } });
        await worker.PostAsync($"/v1/jobs/{held}/free", new { });

        await FailAsync(worker, Assert.Single(await worker.ClaimAsync()));

        var job = await TestJobs.BecomeAsync(project, held, "canceled");
        Assert.Equal("parent_failed", job.GetProperty("reason").GetString());
        Assert.Equal("failed", (await TestJobs.GetAsync(project, before)).State());
    }

    [Fact]
    public async Task What_a_job_needs_counts_also_where_it_was_enqueued_before_all_it_waits_for()
    {
        var (_, worker) = await StartAsync();
        var rescue = await worker.EnqueueAsync(new { depends_when = "failed" });
        await worker.PostAsync($"/v1/jobs/{rescue}/hold", new { });
        await worker.EnqueueAsync(new { blocks = new[] { rescue } });
        await worker.PostAsync($"/v1/jobs/{rescue}/free", new { });

        await FailAsync(worker, Assert.Single(await worker.ClaimAsync()));

        Assert.Equal(rescue, Id(Assert.Single(await worker.ClaimAsync(wait: 20))));
    }

    [Fact]
    public async Task Jobs_of_queues_beyond_the_callers_reach_are_as_if_they_were_not_there()
    {
        var (project, worker) = await StartAsync();
        var over = await worker.EnqueueAsync();
        await FailAsync(worker, Assert.Single(await worker.ClaimAsync()));
        var open = await worker.EnqueueAsync();
        var held = await worker.EnqueueAsync(new { held = true });
        var letters = await TestWorker.ForAsync(project, "letters");
        var own = await letters.EnqueueAsync(new { held = true });
        await TestJobs.NarrowAsync(project, "letters", "developer");
        letters = new TestWorker(project.Http, "letters");

        foreach (var parent in (Guid[])[over, open, held])
        {
            var (status, body) = await letters.PostAsync("/v1/jobs", Letter(new { depends_on = new[] { parent } }));
            Assert.Equal(
                (HttpStatusCode.UnprocessableEntity, "unknown_job"),
                (status, body.GetProperty("code").GetString())
            );
        }

        var (refused, why) = await letters.PostAsync("/v1/jobs", Letter(new { blocks = new[] { held } }));
        Assert.Equal((HttpStatusCode.Conflict, "not_held"), (refused, why.GetProperty("code").GetString()));
        await letters.EnqueueAsync(new { blocks = new[] { own } });
        await letters.EnqueueAsync(new { depends_on = new[] { own } });

        static JsonNode Letter(object more)
        {
            var job = JsonSerializer.SerializeToNode(more)!;
            (job["queue"], job["kind"]) = ("letters", "letter");
            return job;
        }
    }

    private static Guid Id(JsonElement job) => job.GetProperty("id").GetGuid();

    private static Task<string[]> FailAsync(TestWorker worker, JsonElement job) =>
        worker.FinishAsync(TestWorker.End(job, "failed", error: new { code = "broken", retryable = false }));

    private Task<long> BrokenAsync(TestProject project) =>
        TestJobs.QueryAsync<long>(
            service.Database,
            "SELECT count(*) FROM job_edges WHERE project_id = @Id AND is_broken",
            new { project.Id }
        );

    private async Task<(TestProject, TestWorker)> StartAsync()
    {
        var project = await service.NewProjectAsync();
        return (project, await TestWorker.ForAsync(project, "mail"));
    }
}
