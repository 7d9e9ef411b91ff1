using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Bellhop.Bench;

/// <summary>A thousand workers that wait for something to do: what they cost while there is nothing, and how soon one has what comes.</summary>
public static class ParkedWorkers
{
    private const int Workers = 1_000;
    private const int Jobs = 200;
    private const int Before = 20; // not counted: statements are prepared, and calls that were given up are cleared away
    private const string Queue = "bench-parked";
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(30);

    public static async Task<string> RunAsync(BenchHost host)
    {
        using var client = RemoteWork.Client(host.Port, host.Key);
        using var made = await client.PutAsJsonAsync($"/v1/queues/{Queue}", new { served_by = "workers" });
        made.EnsureSuccessStatusCode();
        await host.ExecuteAsync("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public");
        await ParkAsync(host, Workers, 1); // so that the first registration and its code are there
        var idle = await WatchAsync(host);
        using var over = new CancellationTokenSource();
        var parked = ParkAsync(host, Workers, 30, over.Token);
        await Task.Delay(TimeSpan.FromSeconds(40)); // by now each has asked again
        var waiting = await WatchAsync(host);
        await over.CancelAsync();
        await parked;
        var latency = await LatencyAsync(client);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""

            ## A thousand workers that wait (`./dev bench parked`)

            Each has a claim open, for 30 s at most, and asks again; nothing is there to do. Over {Watched.TotalSeconds:F0} s.

            | | statements a second | sessions that are not idle | resident memory |
            | --- | --- | --- | --- |
            | nobody | {idle.PerSecond:F1} | {idle.Sessions} | {idle.Bytes / 1e6:F0} MB |
            | {Workers} workers | {waiting.PerSecond:F1} | {waiting.Sessions} | {waiting.Bytes / 1e6:F0} MB |

            Bars: one statement a second more, no session more, 40 KB a worker: {(waiting.Bytes - idle.Bytes)
                / 1e3
                / Workers:F0} KB.
            From sending POST /v1/jobs to the answer of the claim that was given the job, {Jobs} times with one worker waiting: {latency} (bar p99 20 ms).
            """
        );
    }

    private static async Task ParkAsync(
        BenchHost host,
        int workers,
        int seconds,
        CancellationToken cancellationToken = default
    )
    {
        using var client = RemoteWork.Client(host.Port, host.Key);
        await Task.WhenAll(
            Enumerable
                .Range(0, workers)
                .Select(async number =>
                {
                    var worker = new { id = Guid.CreateVersion7(), name = $"parked-{number}" };
                    do
                    {
                        try
                        {
                            using var claim = await ClaimAsync(client, worker, seconds, cancellationToken);
                            if (claim.StatusCode == HttpStatusCode.ServiceUnavailable)
                            {
                                // too many at this moment
                                await Task.Delay(claim.Headers.RetryAfter!.Delta!.Value, cancellationToken);
                                continue;
                            }

                            claim.EnsureSuccessStatusCode();
                        }
                        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
                        {
                            return;
                        }
                    } while (cancellationToken.CanBeCanceled);
                })
        );
    }

    private static Task<HttpResponseMessage> ClaimAsync(
        HttpClient client,
        object worker,
        int seconds,
        CancellationToken cancellationToken
    ) =>
        client.PostAsJsonAsync(
            "/v1/jobs/claim",
            new
            {
                worker,
                claim_key = Guid.CreateVersion7(),
                queues = new[] { new { name = Queue } },
                max = 1,
                wait_seconds = seconds,
            },
            cancellationToken
        );

    private static async Task<Cost> WatchAsync(BenchHost host)
    {
        const string Statements = "SELECT sum(calls)::bigint FROM public.pg_stat_statements";
        const string Sessions = """
            SELECT count(*)
            FROM pg_stat_activity
            WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()
            """;
        var (before, watch, most) = (await host.CountAsync(Statements), Stopwatch.StartNew(), 0L);
        while (watch.Elapsed < Watched)
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            most = Math.Max(most, await host.CountAsync(Sessions));
        }

        var looked = Watched.TotalSeconds; // our own looks, one a second
        var calls = await host.CountAsync(Statements) - before - looked;
        host.Service.Refresh();
        return new Cost(calls / watch.Elapsed.TotalSeconds, most, host.Service.WorkingSet64);
    }

    private static async Task<string> LatencyAsync(HttpClient client)
    {
        var took = new List<double>();
        var worker = new { id = Guid.CreateVersion7(), name = "awaited" };
        for (var job = -Before; job < Jobs; job++)
        {
            var claim = ClaimAsync(client, worker, 30, CancellationToken.None);
            await Task.Delay(TimeSpan.FromMilliseconds(20)); // so that it waits
            var watch = Stopwatch.StartNew();
            using var enqueued = await client.PostAsJsonAsync("/v1/jobs", new { queue = Queue, kind = "noop" });
            enqueued.EnsureSuccessStatusCode();
            using var answer = await claim;
            if (job >= 0)
            {
                took.Add(watch.Elapsed.TotalMilliseconds);
            }

            var given = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("jobs")[0];
            using var end = await client.PostAsJsonAsync(
                "/v1/jobs/finish",
                new
                {
                    jobs = new[]
                    {
                        new
                        {
                            id = given.GetProperty("id"),
                            lease = given.GetProperty("lease"),
                            outcome = "succeeded",
                        },
                    },
                }
            );
            end.EnsureSuccessStatusCode();
        }

        took.Sort();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"p50 {took[took.Count / 2]:F1} ms, p99 {took[took.Count * 99 / 100]:F1} ms"
        );
    }

    private sealed record Cost(double PerSecond, long Sessions, long Bytes);
}
