using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>How jobs begin over time: no faster than the rate of their queue says, and none behind the many of another project.</summary>
public sealed class JobFlowTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public Task Two_processes_keep_the_rate_of_a_queue_in_every_window() =>
        PaceAsync(count: 40, seconds: 1, burst: 8, jobs: 128, tolerance: 0.5);

    [Fact]
    [Trait("Category", "nightly")]
    public Task Two_processes_keep_a_rate_for_five_minutes() =>
        PaceAsync(count: 100, seconds: 10, burst: 10, jobs: 3_010, tolerance: 0.02);

    [Fact]
    public Task Few_jobs_of_one_project_are_over_before_the_many_of_another() => ShareAsync(many: 5_000);

    [Fact]
    [Trait("Category", "nightly")]
    public Task Few_jobs_of_one_project_are_over_before_the_hundred_thousand_of_another() => ShareAsync(many: 100_000);

    /// <param name="tolerance">By what part it may take longer than it must.</param>
    private async Task PaceAsync(int count, int seconds, int burst, int jobs, double tolerance)
    {
        await using var one = await OwnService.StartAsync(service);
        await using var two = await OwnService.StartAsync(service, beside: one);
        using var http = new HttpClient { BaseAddress = one.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await one.NewKeyAsync());
        var queue = new
        {
            served_by = "service",
            rate = new
            {
                count,
                seconds,
                burst,
            },
        };
        using var made = await http.PutAsJsonAsync("/v1/queues/paced", queue, Token);
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        await TestJobs.EnqueueAsync(
            one.Database,
            one.Services,
            [.. Enumerable.Range(0, jobs).Select(_ => TestJobs.Noop(one.ProjectId) with { Queue = "paced" })]
        );
        var least = (double)(jobs - burst) * seconds / count;
        await Eventually.BeTrueAsync(
            async () => await CountAsync(one, "jobs", one.ProjectId) == 0,
            "all are over",
            TimeSpan.FromSeconds(30 + (2 * least))
        );

        await using var connection = await one.Database.OpenConnectionAsync(Token);
        var starts = (
            await connection.QueryAsync<DateTime>(
                "SELECT claimed_at FROM job_history WHERE project_id = @ProjectId AND kind = 'noop' ORDER BY claimed_at",
                new { one.ProjectId }
            )
        ).ToArray();
        var workers = await connection.QuerySingleAsync<long>(
            "SELECT count(DISTINCT worker_id) FROM job_history WHERE project_id = @ProjectId AND kind = 'noop'",
            new { one.ProjectId }
        );

        Assert.Equal(jobs, starts.Length);
        var window = TimeSpan.FromSeconds(seconds);
        var most = starts.Select(
            (start, index) => starts.Skip(index).TakeWhile(other => other < start + window).Count()
        );
        // one more where what was allowed a moment before is written a moment after
        Assert.InRange(most.Max(), count, count + burst + 1);
        Assert.InRange((starts[^1] - starts[0]).TotalSeconds, least * 0.98, (least * (1 + tolerance)) + 0.5);
        TestContext.Current.SendDiagnosticMessage(
            $"{(starts[^1] - starts[0]).TotalSeconds:0.00} s where {least:0.00} s are the least, by {workers} processes"
        );
    }

    private async Task ShareAsync(int many)
    {
        await using var own = await OwnService.StartAsync(service);
        var few = Guid.CreateVersion7();
        await TestJobs.ExecuteAsync(
            own.Database,
            """
            INSERT INTO projects (id, name, created_at, updated_at) VALUES (@few, @few::text, now(), now());
            INSERT INTO queues (project_id, name, served_by, retry) VALUES (@few, 'default', 'service', '{}');
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, priority, max_attempts, kind, args)
            SELECT q.project_id, new_id(), q.queue_id, now(), 1, 3, 3, 'noop', '{}'
            FROM queues q
            CROSS JOIN generate_series(1, @many)
            WHERE q.project_id = @ProjectId AND q.name = 'default'
            """,
            new
            {
                few,
                many,
                own.ProjectId,
            }
        );
        await Eventually.BeTrueAsync(
            async () => await CountAsync(own, "job_history", own.ProjectId) > 0,
            "the many have begun"
        );

        await TestJobs.EnqueueAsync(
            own.Database,
            own.Services,
            [.. Enumerable.Range(0, 10).Select(_ => TestJobs.Noop(few))]
        );
        await Eventually.BeTrueAsync(
            async () => await CountAsync(own, "jobs", few) == 0,
            "the few are over",
            TimeSpan.FromSeconds(2)
        );

        Assert.True(await CountAsync(own, "jobs", own.ProjectId) > 0, "the many were over before");
    }

    private static Task<long> CountAsync(OwnService own, string table, Guid projectId) =>
        TestJobs.QueryAsync<long>(
            own.Database,
            $"SELECT count(*) FROM {table} WHERE project_id = @projectId AND kind = 'noop'",
            new { projectId }
        );
}
