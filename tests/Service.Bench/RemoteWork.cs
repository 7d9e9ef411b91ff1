using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Bellhop.Bench;

/// <summary>Remote workers over REST: programs that claim a hundred jobs a request and say how they ended in another, beside the floor.</summary>
public static class RemoteWork
{
    private const int Workers = 4;
    private const int PerBatch = 100;
    private const int Jobs = 200_000;
    private const string Queue = "bench-remote";

    public static async Task<string> RunAsync(BenchHost host)
    {
        using var client = Client(host.Port, host.Key);
        using var made = await client.PutAsJsonAsync($"/v1/queues/{Queue}", new { served_by = "workers" });
        made.EnsureSuccessStatusCode();
        var name = $"remote_{Guid.NewGuid():N}";
        var connectionString = await host.MakeDatabaseAsync(name);
        await MeasureAsync(host);
        var rates = new List<Result>();
        var floors = new List<double>();
        for (var round = 0; round < 3; round++)
        {
            rates.Add(await MeasureAsync(host));
            floors.Add(await JobFloor.RunAsync(host, connectionString, Jobs));
        }

        var rate = Load.Median(rates.Select(one => one.PerSecond));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""

            ## Remote workers over REST (`./dev bench remote`)

            {Workers} programs, each claiming and finishing {PerBatch} jobs a request, one request at a time; {Jobs} jobs.

            | | per second | median |
            | --- | --- | --- |
            | remote workers | {string.Join(", ", rates.Select(one => $"{one.PerSecond:F0}"))} | **{rate:F0}** |
            | floor of the drain | {string.Join(", ", floors.Select(one => $"{one:F0}"))} | {Load.Median(floors):F0} |

            Bar 15,000/s. CPU a job: workers {Load.Median(rates.Select(one => one.WorkerMicroseconds)):F1} µs, service {Load.Median(
                rates.Select(one => one.ServiceMicroseconds)
            ):F1} µs, PostgreSQL {Load.Median(rates.Select(one => one.PostgresMicroseconds)):F1} µs.
            """
        );
    }

    /// <summary>One worker, a process of its own: works until it is given nothing.</summary>
    public static async Task<int> WorkAsync(int port, string key)
    {
        using var client = Client(port, key);
        var worker = new Worker(client, Queue);
        while (await worker.WorkAsync())
        {
            // there is more
        }

        return 0;
    }

    /// <summary>Puts jobs on a queue that is there, past the API.</summary>
    public static Task FillAsync(BenchHost host, string queue, int jobs) =>
        host.ExecuteAsync(
            $"""
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, args)
            SELECT q.project_id, new_id(), q.queue_id, now(), 1, 20, 'noop', json_build_object()
            FROM queues q, generate_series(1, {jobs})
            WHERE q.name = '{queue}'
            """
        );

    public static HttpClient Client(int port, string key) =>
        new()
        {
            BaseAddress = new Uri($"http://127.0.0.1:{port}"),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) },
        };

    private static async Task<Result> MeasureAsync(BenchHost host)
    {
        await FillAsync(host, Queue, Jobs);
        var (workers, postgres, service) = (
            BenchHost.ProgramsCpu(),
            host.PostgresCpu(),
            host.Service.TotalProcessorTime.TotalSeconds
        );
        var watch = Stopwatch.StartNew();
        var programs = Enumerable
            .Range(0, Workers)
            .Select(_ =>
                Process.Start(
                    Environment.ProcessPath!,
                    ["remote-worker", host.Port.ToString(CultureInfo.InvariantCulture), host.Key]
                )
            )
            .ToArray();
        foreach (var program in programs)
        {
            await program.WaitForExitAsync();
            if (program.ExitCode != 0)
            {
                throw new InvalidOperationException($"a worker ended with {program.ExitCode}");
            }

            program.Dispose();
        }

        host.Service.Refresh();
        return new Result(
            Jobs / watch.Elapsed.TotalSeconds,
            (BenchHost.ProgramsCpu() - workers) * 1e6 / Jobs,
            (host.Service.TotalProcessorTime.TotalSeconds - service) * 1e6 / Jobs,
            (host.PostgresCpu() - postgres) * 1e6 / Jobs
        );
    }

    /// <summary>Claims up to a hundred jobs with one request, and ends them with another.</summary>
    public sealed class Worker(HttpClient client, string queue)
    {
        private readonly object _worker = new { id = Guid.CreateVersion7(), name = "bench" };

        /// <summary>False: there was nothing to do.</summary>
        public async Task<bool> WorkAsync()
        {
            using var claim = await client.PostAsJsonAsync(
                "/v1/jobs/claim",
                new
                {
                    worker = _worker,
                    claim_key = Guid.CreateVersion7(),
                    queues = new[] { new { name = queue } },
                    max = PerBatch,
                }
            );
            claim.EnsureSuccessStatusCode();
            using var claimed = JsonDocument.Parse(await claim.Content.ReadAsByteArrayAsync());
            var ends = claimed
                .RootElement.GetProperty("jobs")
                .EnumerateArray()
                .Select(job => new
                {
                    id = job.GetProperty("id").GetGuid(),
                    lease = job.GetProperty("lease").GetString(),
                    outcome = "succeeded",
                })
                .ToArray();
            if (ends.Length == 0)
            {
                return false;
            }

            using var finish = await client.PostAsJsonAsync("/v1/jobs/finish", new { jobs = ends });
            finish.EnsureSuccessStatusCode();
            return true;
        }
    }

    private sealed record Result(
        double PerSecond,
        double WorkerMicroseconds,
        double ServiceMicroseconds,
        double PostgresMicroseconds
    );
}
