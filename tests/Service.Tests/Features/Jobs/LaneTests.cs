using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class LaneTests(ServiceFixture service)
{
    [Fact]
    public async Task A_lane_runs_as_many_at_once_as_its_queue_says_and_a_full_one_keeps_no_other_waiting()
    {
        var (_, worker) = await StartAsync(new { lane_limit = 2 });
        for (var number = 0; number < 5; number++)
        {
            await worker.EnqueueAsync(new { lane = "customer-1" });
        }

        var other = await worker.EnqueueAsync(new { lane = "customer-2" });
        var free = await worker.EnqueueAsync();

        var jobs = await TakeAsync(worker, 4);

        Assert.Subset(jobs.Select(Id).ToHashSet(), new HashSet<Guid> { other, free });
        Assert.Empty(await worker.ClaimAsync());
        var ends = jobs.Where(job => Id(job) != other && Id(job) != free).ToArray();
        await worker.FinishAsync(TestWorker.End(ends[0], "succeeded"));
        Assert.Single(await TakeAsync(worker, 1));
        Assert.Empty(await worker.ClaimAsync());
    }

    [Fact]
    public async Task An_ordered_lane_goes_one_after_the_other_and_a_retry_keeps_its_place()
    {
        var (project, worker) = await StartAsync(new { lane_ordered = true });
        var ids = new List<Guid>();
        foreach (var priority in (int[])[4, 1, 2])
        {
            ids.Add(await worker.EnqueueAsync(new { lane = "account", priority }));
        }

        var first = Assert.Single(await TakeAsync(worker, 1));
        Assert.Empty(await worker.ClaimAsync());
        await worker.FinishAsync(TestWorker.End(first, "snoozed", delay: 3600));
        await service.SendAsync(project.Id, new AdmitJobs.Command());
        Assert.Empty(await worker.ClaimAsync());
        await TestJobs.MakeDueAsync(project, ids[0]);

        var order = new List<Guid>();
        while (order.Count < ids.Count)
        {
            var job = Assert.Single(await TakeAsync(worker, 1));
            order.Add(Id(job));
            await worker.FinishAsync(TestWorker.End(job, "succeeded"));
        }

        Assert.Equal(ids, order);
    }

    [Fact]
    public async Task In_a_lane_without_order_a_job_that_is_put_off_gives_its_place_to_the_next()
    {
        var (project, worker) = await StartAsync(new { lane_limit = 1 });
        var late = await worker.EnqueueAsync(new { lane = "account" });
        var next = await worker.EnqueueAsync(new { lane = "account" });
        await worker.FinishAsync(TestWorker.End(Assert.Single(await TakeAsync(worker, 1)), "snoozed", delay: 3600));

        Assert.Equal(next, Id(Assert.Single(await TakeAsync(worker, 1))));

        var waiting = await TestJobs.GetAsync(project, late);
        Assert.Equal(("waiting", "lane"), (waiting.State(), waiting.GetProperty("wait_reason").GetString()));
    }

    [Fact]
    public async Task A_job_replaced_by_one_for_later_gives_its_place_to_the_next()
    {
        var (project, worker) = await StartAsync(new { lane_limit = 1 });
        var first = await worker.EnqueueAsync(new { lane = "account", unique = new { key = "digest" } });
        await Eventually.FitAsync(() => TestJobs.GetAsync(project, first), job => job.State() == "ready");
        var next = await worker.EnqueueAsync(new { lane = "account" });

        var replaced = await worker.EnqueueAsync(
            new
            {
                lane = "account",
                run_at = "2999-01-01T00:00:00Z",
                unique = new { key = "digest", on_conflict = "replace" },
            }
        );

        Assert.Equal(first, replaced);
        Assert.Equal(next, Id(Assert.Single(await TakeAsync(worker, 1))));
    }

    [Theory]
    [InlineData("left", "right", "waiting")]
    [InlineData("left", null, "ready")]
    [InlineData(null, "right", "waiting")]
    [InlineData(null, "empty", "ready")]
    public async Task A_job_replaced_by_one_of_another_lane_leaves_its_place_and_waits_for_the_other(
        string? from,
        string? to,
        string state
    )
    {
        var (project, worker) = await StartAsync(new { lane_limit = 1 });
        var moving = await worker.EnqueueAsync(new { lane = from, unique = new { key = "digest" } });
        await TestJobs.BecomeAsync(project, moving, "ready");
        var ahead = await worker.EnqueueAsync(new { lane = "right" });
        await TestJobs.BecomeAsync(project, ahead, "ready");
        var behind = await worker.EnqueueAsync(new { lane = from ?? "right" });

        await worker.EnqueueAsync(new { lane = to, unique = new { key = "digest", on_conflict = "replace" } });

        await TestJobs.BecomeAsync(project, moving, state);
        await TestJobs.BecomeAsync(project, behind, from is null ? "waiting" : "ready");
        Assert.Equal("ready", (await TestJobs.GetAsync(project, ahead)).State());
        await worker.PostAsync($"/v1/jobs/{ahead}/cancel", new { });
        await worker.PostAsync($"/v1/jobs/{behind}/cancel", new { });
        await TestJobs.BecomeAsync(project, moving, "ready");
    }

    [Fact]
    public async Task A_job_of_a_lane_that_waits_for_its_time_runs_now_when_that_is_asked_for()
    {
        var (project, worker) = await StartAsync(new { lane_limit = 1 });
        var later = await worker.EnqueueAsync(new { lane = "account", run_at = "2999-01-01T00:00:00Z" });

        var (asked, _) = await worker.PostAsync($"/v1/jobs/{later}/run-now", new { });
        var job = Assert.Single(await TakeAsync(worker, 1));
        var behind = await worker.EnqueueAsync(new { lane = "account" });
        var (refused, why) = await worker.PostAsync($"/v1/jobs/{behind}/run-now", new { });

        Assert.Equal((HttpStatusCode.OK, later), (asked, Id(job)));
        Assert.Equal((HttpStatusCode.Conflict, "job_waiting"), (refused, why.GetProperty("code").GetString()));
    }

    [Fact]
    public Task Thousands_that_wait_in_a_full_lane_keep_nothing_waiting() => FillAsync(5_000, mostMilliseconds: 250);

    [Fact]
    [Trait("Category", "nightly")]
    public Task A_hundred_thousand_that_wait_in_a_full_lane_keep_nothing_waiting() =>
        FillAsync(100_000, mostMilliseconds: 50);

    private async Task FillAsync(int waiting, double mostMilliseconds)
    {
        var (project, worker) = await StartAsync(new { lane_limit = 1 });
        await worker.EnqueueAsync(new { lane = "full" });
        Assert.Single(await TakeAsync(worker, 1));
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, wait_reason, lane, priority, max_attempts, kind, args)
            SELECT q.project_id, new_id(), q.queue_id, now(), 0, 1, 'full', 1, 3, 'letter', '{}'
            FROM queues q
            CROSS JOIN generate_series(1, @Waiting)
            WHERE q.project_id = @Id AND q.name = 'mail'
            """,
            new { project.Id, Waiting = waiting }
        );
        var (status, _) = await worker.PostAsync(
            "/v1/jobs/bulk",
            new { jobs = Enumerable.Range(0, 100).Select(_ => new { queue = "mail", kind = "letter" }) }
        );
        Assert.Equal(HttpStatusCode.OK, status);

        var began = Stopwatch.GetTimestamp();
        var waits = new List<double>();
        for (var claimed = 0; claimed < 100; )
        {
            var asked = Stopwatch.GetTimestamp();
            var jobs = await worker.ClaimAsync(max: 5);
            waits.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
            Assert.NotEmpty(jobs);
            claimed += jobs.Length;
        }

        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 1);
        waits.Sort();
        Assert.InRange(waits[waits.Count * 9 / 10], 0, mostMilliseconds);
        Assert.Empty(await worker.ClaimAsync());
    }

    private static Guid Id(JsonElement job) => job.GetProperty("id").GetGuid();

    private async Task<(TestProject, TestWorker)> StartAsync(object limits)
    {
        var project = await service.NewProjectAsync();
        return (project, await TestWorker.ForAsync(project, "mail", limits));
    }

    /// <summary>Claims until so many have come.</summary>
    private static async Task<JsonElement[]> TakeAsync(TestWorker worker, int count)
    {
        var jobs = new List<JsonElement>();
        while (jobs.Count < count)
        {
            var more = await worker.ClaimAsync(max: count - jobs.Count, wait: 20);
            Assert.NotEmpty(more);
            jobs.AddRange(more);
        }

        return [.. jobs];
    }
}
