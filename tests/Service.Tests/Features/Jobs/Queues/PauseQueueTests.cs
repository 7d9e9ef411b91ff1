using System.Collections.Concurrent;
using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Queues;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
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

    /// <summary>
    /// Short jobs are claimed ahead; when long ones follow, some of these are in hand and not begun. A process that hears of the pause
    /// gives them back.
    /// </summary>
    [Fact]
    public async Task What_two_processes_had_claimed_ahead_is_given_back_and_never_begun()
    {
        await using var one = await OwnService.StartAsync(service);
        await using var two = await OwnService.StartAsync(service, beside: one);
        await one.SendAsync(new CreateQueue.Command(new QueueDocument("q", "service")));
        var begun = new ConcurrentQueue<Guid>();
        var end = new TaskCompletionSource();
        var isAhead = await ClaimAheadAsync();
        using var heardOne = new Ear(one);
        using var heardTwo = new Ear(two);

        var paused = await one.SendAsync(new PauseQueue.Command(NameOrId.Parse("q")));
        await Task.WhenAll(heardOne.Heard, heardTwo.Heard)
            .WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);
        var running = begun.ToHashSet();
        end.SetResult();
        await Eventually.BeTrueAsync(async () => await CountAsync("jobs", "state = 2") == 0, "nothing runs any more");

        Assert.NotNull(paused.PausedAt);
        Assert.Equal(running.Order(), begun.Order());
        Assert.Equal(
            running.Count,
            await TestJobs.QueryAsync<int>(
                one.Database,
                """
                SELECT count(*)::integer FROM job_history
                WHERE project_id = @ProjectId AND id = ANY (@Ids) AND outcome = 0 AND attempt = 1
                """,
                new { one.ProjectId, Ids = running.ToArray() }
            )
        );
        Assert.Equal(0, await CountAsync("jobs", "attempt > 0"));
        Assert.True(!isAhead || await CountAsync("jobs", "claim_no > 0") > 0, "nothing was given back");
        await one.SendAsync(new ResumeQueue.Command(NameOrId.Parse("q")));
        await Eventually.BeTrueAsync(async () => await CountAsync("jobs", "true") == 0, "all have ended");

        // short jobs in front of some that do not end, until the processes hold more of these than they execute
        async Task<bool> ClaimAheadAsync()
        {
            for (var round = 1; ; round++)
            {
                var gate = round == 1 ? end : end = new TaskCompletionSource();
                begun.Clear();
                var quick = Enumerable.Range(0, 1_500).Select(_ => TestJobs.Noop(one.ProjectId) with { Queue = "q" });
                var long_ = Enumerable.Range(0, 200).Select(_ => Gated(gate.Task));
                await TestJobs.EnqueueAsync(one.Database, one.Services, [.. quick, .. long_]);
                await Eventually.BeTrueAsync(() => Task.FromResult(begun.Count == 40), "all slots are taken");
                var ahead = await TestJobs.QueryAsync<long>(one.Database, HoldMore, new { one.ProjectId });
                if (ahead > 0 || round == 6) // a slow machine claims little ahead: what does not begin is looked at all the same
                {
                    return ahead > 0;
                }

                gate.SetResult();
                await Eventually.BeTrueAsync(async () => await CountAsync("jobs", "true") == 0, "all have ended");
            }
        }

        NewJob Gated(Task gate)
        {
            var job = TestJobs.New(
                one.ProjectId,
                async (job, _) =>
                {
                    begun.Enqueue(job.Id);
                    await gate;
                    return await TestJobs.Succeed();
                }
            );
            return job with { Queue = "q" };
        }

        Task<long> CountAsync(string table, string condition) =>
            TestJobs.QueryAsync<long>(
                one.Database,
                $"""
                SELECT count(*) FROM {table} j
                JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id AND q.name = 'q'
                WHERE j.project_id = @ProjectId AND {condition}
                """,
                new { one.ProjectId }
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

    private const string HoldMore = """
        SELECT count(*)
        FROM (
            SELECT FROM jobs WHERE project_id = @ProjectId AND state = 2 GROUP BY worker_id HAVING count(*) > 20
        ) AS processes
        """;

    /// <summary>Hears in a process that a queue was paused, after all others there that listen for it.</summary>
    private sealed class Ear : IDisposable
    {
        private readonly TaskCompletionSource _heard = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly IDisposable[] _subscriptions;

        public Ear(OwnService service)
        {
            var notifications = service.Services.GetRequiredService<Notifications>();
            var after = $"after-{Guid.NewGuid():N}";
            _subscriptions =
            [
                // a second topic is told of when all have been told of the first
                QueueSignals.OnPaused(notifications, _ => notifications.Send(after)),
                notifications.Subscribe(after, topic => _heard.TrySetResult()),
            ];
        }

        public Task Heard => _heard.Task;

        public void Dispose() => Array.ForEach(_subscriptions, subscription => subscription.Dispose());
    }
}
