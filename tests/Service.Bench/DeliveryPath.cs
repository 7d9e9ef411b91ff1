using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Bellhop.Bench;

/// <summary>Event accepted → webhook at the receiver, at 200 events a second, beside a bare client that posts to the same receiver.</summary>
public static class DeliveryPath
{
    private const int PerSecond = 200;
    private const int Seconds = 60;
    private const int Burst = 20_000;

    private static readonly ConcurrentDictionary<string, double> Arrived = new();
    private static int _count;

    public static async Task<string> RunAsync(BenchHost host)
    {
        await host.ExecuteAsync("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public");
        await using var receiver = await ReceiveAsync();
        var url = receiver.Urls.First() + "/hook";
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{host.Port}") };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Key);
        using (
            var made = await client.PostAsJsonAsync(
                "/v1/webhook-endpoints",
                new
                {
                    name = "bench",
                    url,
                    event_types = new[] { "bench.tick" },
                    concurrency = 32,
                }
            )
        )
        {
            made.EnsureSuccessStatusCode();
        }

        await PumpAsync(client, "warm", 20);
        await host.ExecuteAsync("SELECT public.pg_stat_statements_reset()");
        var sent = await PumpAsync(client, "run", Seconds);
        await ArriveAsync("run", sent.Count);
        var statements = await host.CountAsync(
            "SELECT COALESCE(sum(calls), 0) FROM public.pg_stat_statements WHERE query !~* '^(BEGIN|COMMIT|SELECT public.pg_stat|DISCARD)'"
        );
        var latencies = sent.Select(pair => Arrived[pair.Key] - pair.Value).Order().ToArray();
        var bare = await BareAsync(url);
        var burst = await BurstAsync(client);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""

            ## Event → delivery, {PerSecond}/s for {Seconds} s, fan-out 1 (`./dev bench delivery`)

            | | p50 | p95 | p99 |
            | --- | --- | --- | --- |
            | from sending POST /v1/events to the receiver's first line | {Load.At(latencies, 0.5):F1} ms | **{Load.At(
                latencies,
                0.95
            ):F1} ms** | {Load.At(latencies, 0.99):F1} ms |
            | a bare HttpClient posting to the same receiver at the same rate | {Load.At(bare, 0.5):F1} ms | {Load.At(
                bare,
                0.95
            ):F1} ms | {Load.At(bare, 0.99):F1} ms |

            {sent.Count} events, all delivered; **{(double)statements
                / sent.Count:F1}** statements an event (bar 12; p95 bar 100 ms).
            Sustained: {Burst} events published in batches were at the receiver after {Burst
                / burst:F1} s: **{burst:F0}** deliveries a second (bar 1,000).
            """
        );
    }

    private static async Task<WebApplication> ReceiveAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapPost(
            "/hook",
            async (HttpRequest request) =>
            {
                var at = Milliseconds();
                using var body = await JsonDocument.ParseAsync(request.Body);
                Arrived[body.RootElement.GetProperty("id").GetString()!] = at;
                Interlocked.Increment(ref _count);
                return Results.NoContent();
            }
        );
        await app.StartAsync();
        return app;
    }

    /// <summary>Sends on a fixed beat, whether or not earlier calls were answered.</summary>
    private static async Task<Dictionary<string, double>> PumpAsync(HttpClient client, string run, int seconds)
    {
        var sent = new Dictionary<string, double>();
        var calls = new List<Task>();
        var watch = Stopwatch.StartNew();
        for (var number = 0; number < PerSecond * seconds; number++)
        {
            var due = TimeSpan.FromSeconds((double)number / PerSecond) - watch.Elapsed;
            if (due > TimeSpan.Zero)
            {
                await Task.Delay(due);
            }

            var id = $"{run}-{number}";
            sent[id] = Milliseconds();
            calls.Add(PublishAsync(client, id));
        }

        await Task.WhenAll(calls);
        return sent;
    }

    private static async Task PublishAsync(HttpClient client, string id)
    {
        using var answer = await client.PostAsJsonAsync(
            "/v1/events",
            new
            {
                type = "bench.tick",
                source = "bench",
                id,
                data = new { n = 1 },
            }
        );
        answer.EnsureSuccessStatusCode();
    }

    private static async Task<double[]> BareAsync(string url)
    {
        using var client = new HttpClient();
        var sent = new Dictionary<string, double>();
        var calls = new List<Task>();
        var watch = Stopwatch.StartNew();
        for (var number = 0; number < PerSecond * 10; number++)
        {
            var due = TimeSpan.FromSeconds((double)number / PerSecond) - watch.Elapsed;
            if (due > TimeSpan.Zero)
            {
                await Task.Delay(due);
            }

            var id = $"bare-{number}";
            sent[id] = Milliseconds();
            calls.Add(client.PostAsJsonAsync(url, new { id }));
        }

        await Task.WhenAll(calls);
        return [.. sent.Select(pair => Arrived[pair.Key] - pair.Value).Order()];
    }

    private static async Task<double> BurstAsync(HttpClient client)
    {
        var before = Volatile.Read(ref _count);
        var watch = Stopwatch.StartNew();
        for (var batch = 0; batch < Burst / 500; batch++)
        {
            var body = new StringBuilder("{\"events\":[");
            body.AppendJoin(
                ',',
                Enumerable
                    .Range(0, 500)
                    .Select(n =>
                        $$$"""{"type":"bench.tick","source":"burst","id":"b-{{{batch}}}-{{{n}}}","data":{"n":{{{n}}}}}"""
                    )
            );
            using var content = new StringContent(body.Append("]}").ToString(), Encoding.UTF8, "application/json");
            using var answer = await client.PostAsync(new Uri("/v1/events/batch", UriKind.Relative), content);
            answer.EnsureSuccessStatusCode();
        }

        while (Volatile.Read(ref _count) - before < Burst)
        {
            await Task.Delay(10);
        }

        return Burst / watch.Elapsed.TotalSeconds;
    }

    private static async Task ArriveAsync(string run, int count)
    {
        for (
            var tries = 0;
            tries < 1000 && Arrived.Keys.Count(id => id.StartsWith(run, StringComparison.Ordinal)) < count;
            tries++
        )
        {
            await Task.Delay(20);
        }
    }

    private static double Milliseconds() => Stopwatch.GetTimestamp() * 1000.0 / Stopwatch.Frequency;
}
