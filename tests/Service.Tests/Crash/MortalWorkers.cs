using System.Collections.Concurrent;
using System.Text.Json;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>
/// Remote workers that fall silent with jobs in their hands, of which some come back when others have their jobs, and insist.
/// </summary>
/// <param name="failures">Of a hundred executions so many fail, to be tried again.</param>
/// <param name="deaths">Of a hundred claims after so many the worker falls silent.</param>
internal sealed class MortalWorkers(TestProject project, string queue, int seed, int failures, int deaths)
{
    private readonly ConcurrentQueue<object[]> _late = new();
    private readonly ConcurrentDictionary<Guid, int> _done = new();
    private int _left;

    /// <summary>The lanes and their jobs in the order in which their success was taken.</summary>
    public ConcurrentQueue<Guid> Done { get; } = new();

    public int Deaths { get; private set; }

    /// <summary>What was refused since somebody else had the job.</summary>
    public int Refused { get; private set; }

    /// <summary>Works until so many jobs have succeeded.</summary>
    public async Task WorkAsync(int workers, int jobs, TimeSpan patience)
    {
        _left = jobs;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        ended.CancelAfter(patience);
        var all = Enumerable.Range(0, workers).Select(number => LiveAsync(new Random(seed + number), ended.Token));
        await Task.WhenAll([.. all, WatchAsync(ended.Token)]);
        Assert.All(_done, job => Assert.True(job.Value == 1, $"seed {seed}: {job.Key} succeeded {job.Value} times"));
    }

    private async Task LiveAsync(Random random, CancellationToken cancellationToken)
    {
        var worker = new TestWorker(project.Http, queue);
        while (Volatile.Read(ref _left) > 0)
        {
            Assert.False(cancellationToken.IsCancellationRequested, $"seed {seed}: {_left} jobs are not over");
            var jobs = await worker.ClaimAsync(max: random.Next(1, 8), wait: 0);
            if (jobs.Length == 0)
            {
                await Task.Delay(10, CancellationToken.None);
                continue;
            }

            var ends = Array.ConvertAll(
                jobs,
                job => TestWorker.End(job, random.Next(100) < failures ? "failed" : "succeeded", error: Error)
            );
            if (random.Next(100) < deaths)
            {
                await DieAsync(worker, ends);
                worker = new TestWorker(project.Http, queue);
            }
            else
            {
                await EndAsync(worker, jobs, ends);
            }

            if (random.Next(4) == 0 && _late.TryDequeue(out var late))
            {
                await InsistAsync(worker, late);
            }
        }
    }

    private static object Error => new { code = "no_use", retry_after_seconds = 0 };

    /// <summary>Nothing is heard of it any more, and its leases run out.</summary>
    private async Task DieAsync(TestWorker worker, object[] ends)
    {
        lock (_late)
        {
            Deaths++;
        }

        _late.Enqueue(ends);
        await ExecuteAsync(
            """
            UPDATE jobs SET lease_until = now() - interval '1 second'
            WHERE project_id = @ProjectId AND worker_id = @WorkerId AND state = 2
            """,
            new { ProjectId = project.Id, WorkerId = worker.Id }
        );
    }

    private async Task EndAsync(TestWorker worker, JsonElement[] jobs, object[] ends)
    {
        var results = await worker.FinishAsync(ends);
        Assert.All(results, result => Assert.True(result == "accepted", $"seed {seed}: {result}"));
        for (var index = 0; index < jobs.Length; index++)
        {
            if (JsonSerializer.SerializeToElement(ends[index]).GetProperty("outcome").GetString() == "succeeded")
            {
                Succeeded(jobs[index].GetProperty("id").GetGuid());
            }
        }
    }

    /// <summary>One that was taken for dead says how its jobs ended.</summary>
    private async Task InsistAsync(TestWorker worker, object[] ends)
    {
        var results = await worker.FinishAsync(ends);
        for (var index = 0; index < ends.Length; index++)
        {
            var end = JsonSerializer.SerializeToElement(ends[index]);
            if (results[index] == "accepted" && end.GetProperty("outcome").GetString() == "succeeded")
            {
                Succeeded(end.GetProperty("id").GetGuid()); // nobody had it yet
            }

            lock (_late)
            {
                Refused += results[index] == "lease_lost" ? 1 : 0;
            }
        }
    }

    private void Succeeded(Guid id)
    {
        Done.Enqueue(id);
        _done.AddOrUpdate(id, 1, (_, count) => count + 1);
        Interlocked.Decrement(ref _left);
    }

    /// <summary>Looks that no lane is passed and nothing is held by nobody, and lets the pauses after a loss be over.</summary>
    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (Volatile.Read(ref _left) > 0 && !cancellationToken.IsCancellationRequested)
        {
            await ExecuteAsync(
                "UPDATE jobs SET run_at = now() WHERE project_id = @Id AND state = 1 AND lost > 0 AND run_at > now()",
                new { project.Id }
            );
            var (passed, stale) = await TestJobs.QueryAsync<(string?, long)>(
                project.Database,
                """
                SELECT (
                        SELECT max(j.lane)
                        FROM (
                            SELECT lane, queue_id, count(*) AS held FROM jobs WHERE project_id = @Id AND state = 2 GROUP BY lane, queue_id
                        ) AS j
                        JOIN queues q ON q.project_id = @Id AND q.queue_id = j.queue_id
                        WHERE j.held > CASE WHEN q.lane_ordered THEN 1 ELSE q.lane_limit END
                    ),
                    (
                        SELECT count(*) FROM jobs
                        WHERE project_id = @Id AND state = 2 AND lease_until < now() - interval '6 seconds'
                    )
                """,
                new { project.Id }
            );
            Assert.True(passed is null, $"seed {seed}: more jobs of the lane {passed} run than may");
            Assert.True(stale == 0, $"seed {seed}: {stale} jobs are held by nobody");
            await Task.Delay(10, CancellationToken.None);
        }
    }

    // these take their rows in no order, and may lose against the service's own
    private Task<int> ExecuteAsync(string sql, object arguments) =>
        Outages.RepeatInContentionAsync(() => TestJobs.ExecuteAsync(project.Database, sql, arguments));
}
