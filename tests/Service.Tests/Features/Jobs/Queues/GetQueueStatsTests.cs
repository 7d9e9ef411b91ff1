using System.Net;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Queues;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class GetQueueStatsTests(ServiceFixture service)
{
    [Fact]
    public async Task Jobs_are_counted_by_what_they_wait_for()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"q"}""");
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        await EnqueueAsync(project, 3, "run_at = now() - interval '10 minutes'", now.AddMinutes(-10));
        await EnqueueAsync(project, 2, "run_at = run_at", now.AddDays(1));
        await EnqueueAsync(project, 4, "state = 0, wait_reason = 1", null);
        await EnqueueAsync(project, 5, "state = 0, wait_reason = 2", null);
        await EnqueueAsync(project, 6, "state = 0, wait_reason = 3", null);
        await EnqueueAsync(project, 7, "state = 2, lease_until = now() + interval '1 hour'", null);

        var stats = (await project.Http.CallAsync("GET", "/v1/queues/q/stats")).Expect(HttpStatusCode.OK).Body;

        var depth = stats.GetProperty("now");
        var waiting = depth.GetProperty("waiting");
        Assert.Equal("q", stats.GetProperty("queue").GetString());
        Assert.Equal((3, false), Count(depth.GetProperty("ready")));
        Assert.Equal((2, false), Count(depth.GetProperty("scheduled")));
        Assert.Equal((4, false), Count(waiting.GetProperty("lane")));
        Assert.Equal((5, false), Count(waiting.GetProperty("jobs")));
        Assert.Equal((6, false), Count(waiting.GetProperty("held")));
        Assert.Equal((7, false), Count(depth.GetProperty("running")));
        Assert.InRange(depth.GetProperty("oldest_ready_age_seconds").GetDouble(), 600, 700);
    }

    [Fact]
    public async Task A_queue_without_jobs_has_nothing_to_tell()
    {
        var http = (await service.NewProjectAsync()).Http;
        await http.PostAsync("/v1/queues", """{"name":"q"}""");

        var stats = (await http.CallAsync("GET", "/v1/queues/q/stats")).Expect(HttpStatusCode.OK).Body;

        Assert.Equal((0, false), Count(stats.GetProperty("now").GetProperty("ready")));
        Assert.Equal("null", stats.GetProperty("now").GetProperty("oldest_ready_age_seconds").GetRawText());
        Assert.Equal((0, false), Count(stats.GetProperty("failed_24h")));
        Assert.Equal(0, stats.GetProperty("minutes").GetArrayLength());
    }

    [Fact]
    public async Task Many_are_counted_to_ten_thousand_and_the_answer_says_so()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"q"}""");
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, args)
            SELECT q.project_id, new_id(), q.queue_id, now(), 1, 1, 'theirs', '{}'
            FROM queues q
            CROSS JOIN generate_series(1, 10001)
            WHERE q.project_id = @Id AND q.name = 'q'
            """,
            new { project.Id }
        );

        var stats = (await project.Http.CallAsync("GET", "/v1/queues/q/stats")).Expect(HttpStatusCode.OK).Body;

        Assert.Equal((10_000, true), Count(stats.GetProperty("now").GetProperty("ready")));
    }

    [Fact]
    public async Task What_became_of_jobs_is_told_by_the_minute()
    {
        var project = await service.NewProjectAsync();
        var http = project.Http;
        await http.PostAsync("/v1/queues", """{"name":"q","served_by":"service"}""");
        Script[] scripts =
        [
            (_, _) => TestJobs.Succeed(),
            (_, _) => TestJobs.Succeed(),
            (_, _) => Task.FromResult<JobOutcome>(new JobOutcome.Failed("no", "No.", Retryable: false)),
            (job, _) =>
                job.Attempt == 1
                    ? Task.FromResult<JobOutcome>(new JobOutcome.Failed("no", "No.", RetryAfter: TimeSpan.Zero))
                    : TestJobs.Succeed(),
        ];
        var jobs = Array.ConvertAll(scripts, script => TestJobs.New(project.Id, script) with { Queue = "q" });
        await TestJobs.EnqueueAsync(service, jobs);
        foreach (var (job, index) in jobs.Select((job, index) => (job, index)))
        {
            await TestJobs.BecomeAsync(project, job.Id, index == 2 ? "failed" : "succeeded");
        }

        var stats = await Eventually.FitAsync(
            async () =>
            {
                await service
                    .Services.GetRequiredService<QueueMinutes>()
                    .StoreAsync(TestContext.Current.CancellationToken);
                return (await http.CallAsync("GET", "/v1/queues/q/stats?minutes=10")).Expect(HttpStatusCode.OK).Body;
            },
            // counted just after the end is stored
            stats => Sum(stats, "succeeded") == 3
        );

        Assert.Equal(
            (5, 1, 1, 0, 0),
            (
                Sum(stats, "started"),
                Sum(stats, "failed"),
                Sum(stats, "retried"),
                Sum(stats, "released"),
                Sum(stats, "lost")
            )
        );
        Assert.Equal((1, false), Count(stats.GetProperty("failed_24h")));
        Assert.All(
            stats.GetProperty("minutes").EnumerateArray(),
            minute =>
            {
                Assert.InRange(minute.GetProperty("avg_wait_seconds").GetDouble(), 0, 60);
                Assert.InRange(minute.GetProperty("avg_run_seconds").GetDouble(), 0, 60);
            }
        );
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1441")]
    [InlineData("-1")]
    [InlineData("many")]
    public async Task A_number_of_minutes_that_is_none_is_named(string minutes)
    {
        var http = (await service.NewProjectAsync()).Http;

        var answer = await http.CallAsync("GET", $"/v1/queues/default/stats?minutes={minutes}");

        Assert.Equal("invalid_parameter", answer.Expect(HttpStatusCode.BadRequest).Code);
        Assert.Equal("minutes", answer.Body.GetProperty("errors")[0].GetProperty("parameter").GetString());
    }

    [Fact]
    public async Task Minutes_of_before_are_left_out()
    {
        var project = await service.NewProjectAsync();
        foreach (var back in new[] { 0, 5, 20 })
        {
            await TestJobs.ExecuteAsync(
                service.Database,
                """
                INSERT INTO queue_minutes (
                    project_id, queue_id, minute, process_id, started, succeeded, failed, retried, released, lost, wait_seconds, run_seconds
                )
                SELECT project_id, queue_id, date_trunc('minute', now()) - make_interval(mins => @Back), process, 2, 1, 1, 0, 0, 0, 3, 8
                FROM queues
                CROSS JOIN (VALUES (new_id()), (new_id())) AS p(process)
                WHERE project_id = @Id AND name = 'default'
                """,
                new { project.Id, Back = back }
            );
        }

        var stats = (await project.Http.CallAsync("GET", "/v1/queues/default/stats?minutes=15")).Body;

        // two processes a minute
        var minutes = stats.GetProperty("minutes").EnumerateArray().ToArray();
        Assert.Equal([4L, 4L], minutes.Select(minute => minute.GetProperty("started").GetInt64()));
        Assert.Equal(1.5, minutes[0].GetProperty("avg_wait_seconds").GetDouble());
        Assert.Equal(4, minutes[0].GetProperty("avg_run_seconds").GetDouble());
        Assert.Equal((6, false), Count(stats.GetProperty("failed_24h")));
    }

    private static (int, bool) Count(JsonElement count) =>
        (count.GetProperty("count").GetInt32(), count.GetProperty("capped").GetBoolean());

    private static long Sum(JsonElement stats, string member) =>
        stats.GetProperty("minutes").EnumerateArray().Sum(minute => minute.GetProperty(member).GetInt64());

    private async Task EnqueueAsync(TestProject project, int count, string set, DateTime? runAt)
    {
        var jobs = Enumerable
            .Range(0, count)
            .Select(_ => TestJobs.Noop(project.Id) with { Queue = "q", RunAt = runAt })
            .ToArray();
        await TestJobs.EnqueueAsync(service, jobs);
        await TestJobs.ExecuteAsync(
            service.Database,
            $"UPDATE jobs SET {set} WHERE project_id = @Id AND id = ANY (@Ids)",
            new { project.Id, Ids = jobs.Select(job => job.Id).ToArray() }
        );
    }
}
