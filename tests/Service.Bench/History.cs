using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;

namespace Bellhop.Bench;

/// <summary>What fifty million jobs that are over cost: lists of those that failed, counts, and claims while a day of them is dropped.</summary>
public static class History
{
    private const int Days = 10;
    private const int PerDay = 5_000_000;
    private const int Dropped = 4;
    private const int Rounds = 300;
    private const string Queue = "history-claims";

    public static async Task<string> RunAsync(BenchHost host)
    {
        await FillAsync(host);
        using var client = RemoteWork.Client(host.Port, host.Key);
        var rows = new List<string>
        {
            await PagesAsync(client, "failed, page after page", "/v1/jobs?state=failed&limit=50"),
            await PagesAsync(client, "failed of a kind", "/v1/jobs?state=failed&kind=kind-3&limit=50"),
            await PagesAsync(client, "failed of a queue", "/v1/jobs?state=failed&queue=history-7&limit=50"),
            await PagesAsync(client, "all that are over, page after page", "/v1/jobs?state=succeeded&limit=50"),
            await CountsAsync(client, "count of those that failed, to 100,001", new { state = "failed" }),
            await CountsAsync(client, "count of those of a kind", new { state = "failed", kind = "kind-3" }),
            await StatsAsync(client),
        };
        var drop = await DropAsync(host, client);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""

            ## Fifty million jobs in the history (`./dev bench history`)

            {Days} days of {PerDay} jobs, one in a hundred failed, of 20 queues and 10 kinds; requests one after the other. Milliseconds.

            | | p50 | p99 | longest |
            | --- | --- | --- | --- |
            {string.Join('\n', rows)}

            {drop}

            Bars: lists p99 50, counts 20; a drop 1,000, and no claim waits for one longer than 200.
            """
        );
    }

    private static async Task FillAsync(BenchHost host)
    {
        await host.ExecuteAsync(
            """
            INSERT INTO queues (project_id, name, served_by, retry)
            SELECT id, 'history-' || n, 'workers', json_build_object()
            FROM projects, generate_series(0, 19) AS n
            WHERE projects.name = 'default'
            """
        );
        var today = DateTime.UtcNow.Date;
        await Parallel.ForEachAsync(
            Enumerable.Range(3, Days).Select(back => today.AddDays(-back)),
            new ParallelOptions { MaxDegreeOfParallelism = 2 },
            async (day, _) =>
            {
                var table = $"job_history_{day:yyyyMMdd}";
                await host.ExecuteAsync(
                    $"CREATE TABLE {table} PARTITION OF job_history FOR VALUES FROM ('{day:yyyy-MM-dd}Z') TO ('{day.AddDays(1):yyyy-MM-dd}Z')"
                );
                await host.ExecuteAsync(
                    $$"""
                    INSERT INTO {{table}} (
                        project_id, id, finished_at, queue_id, kind, outcome, priority, claim_no, attempt, max_attempts, lost, run_at,
                        claimed_at, args, error
                    )
                    SELECT q.project_id, first_id_at(n.at), n.at, q.ids[1 + n.number % 20], 'kind-' || n.number / 100 % 10,
                        CASE WHEN n.number % 100 = n.number / 100 % 100 THEN 1 ELSE 0 END, 3, 1, 1, 20, 0, n.at, n.at,
                        '{"order":1042}',
                        CASE WHEN n.number % 100 = n.number / 100 % 100 THEN '{"code":"refused","message":"The card was refused."}'::json END
                    FROM (
                        SELECT project_id, array_agg(queue_id ORDER BY queue_id) AS ids
                        FROM queues
                        WHERE name LIKE 'history-%'
                        GROUP BY project_id
                    ) AS q
                    CROSS JOIN (
                        SELECT number, timestamptz '{{day:yyyy-MM-dd}}Z' + number * interval '17 milliseconds' AS at
                        FROM generate_series(0, {{PerDay - 1}}) AS number
                    ) AS n
                    """
                );
            }
        );
        await host.ExecuteAsync("VACUUM ANALYZE job_history"); // once nobody fills any more: what a transaction may not see is visited
        await host.ExecuteAsync("CHECKPOINT");
    }

    private static Task<string> PagesAsync(HttpClient client, string name, string path)
    {
        string? cursor = null;
        return MeasureAsync(
            name,
            async () =>
            {
                var page = await client.GetFromJsonAsync<JsonElement>(
                    cursor is null ? path : $"{path}&cursor={Uri.EscapeDataString(cursor)}"
                );
                cursor = page.GetProperty("next_cursor").GetString();
                if (page.GetProperty("items").GetArrayLength() != 50)
                {
                    throw new InvalidOperationException($"a page of {name} is not full");
                }
            }
        );
    }

    private static Task<string> CountsAsync(HttpClient client, string name, object filter) =>
        MeasureAsync(
            name,
            async () =>
            {
                using var answer = await client.PostAsJsonAsync("/v1/jobs/bulk/retry", new { filter, dry_run = true });
                answer.EnsureSuccessStatusCode();
            }
        );

    private static Task<string> StatsAsync(HttpClient client) =>
        MeasureAsync(
            "counts of a queue",
            async () =>
            {
                using var answer = await client.GetAsync("/v1/queues/history-7/stats");
                answer.EnsureSuccessStatusCode();
            }
        );

    private static async Task<string> MeasureAsync(string name, Func<Task> ask)
    {
        var took = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            var watch = Stopwatch.StartNew();
            await ask();
            took.Add(watch.Elapsed.TotalMilliseconds);
        }

        return $"| {name} | {Show(took)} |";
    }

    /// <summary>Drops a day after the other as the service does, beside a worker that claims and ends.</summary>
    private static async Task<string> DropAsync(BenchHost host, HttpClient client)
    {
        using var made = await client.PutAsJsonAsync($"/v1/queues/{Queue}", new { served_by = "workers" });
        made.EnsureSuccessStatusCode();
        await RemoteWork.FillAsync(host, Queue, 1_000_000);
        using var over = new CancellationTokenSource();
        var worker = new RemoteWork.Worker(client, Queue);
        var calm = await ClaimAsync(worker, TimeSpan.FromSeconds(20), CancellationToken.None);
        var beside = ClaimAsync(worker, TimeSpan.FromMinutes(10), over.Token);
        var drops = new List<double>();
        for (var day = 0; day < Dropped; day++)
        {
            var watch = Stopwatch.StartNew();
            await host.ExecuteAsync($"SELECT drop_job_partition((now() AT TIME ZONE 'UTC')::date - {Days + 2 - day})");
            drops.Add(watch.Elapsed.TotalMilliseconds);
            await Task.Delay(TimeSpan.FromSeconds(3)); // so that each drop meets claims of its own
        }

        await over.CancelAsync();
        var meanwhile = await beside;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""
            A day dropped, {Dropped} times: {string.Join(
                ", ",
                drops.Select(one => $"{one:F0}")
            )} ms. Meanwhile a worker claims 100 jobs and ends them over and over; the claim and the end together:

            | | p50 | p99 | longest |
            | --- | --- | --- | --- |
            | before | {Show(calm)} |
            | while days are dropped | {Show(meanwhile)} |
            """
        );
    }

    private static async Task<List<double>> ClaimAsync(
        RemoteWork.Worker worker,
        TimeSpan time,
        CancellationToken cancellationToken
    )
    {
        var took = new List<double>();
        var whole = Stopwatch.StartNew();
        while (whole.Elapsed < time && !cancellationToken.IsCancellationRequested)
        {
            var watch = Stopwatch.StartNew();
            if (!await worker.WorkAsync())
            {
                throw new InvalidOperationException("too few jobs to claim");
            }

            took.Add(watch.Elapsed.TotalMilliseconds);
        }

        return took;
    }

    private static string Show(List<double> milliseconds)
    {
        milliseconds.Sort();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{milliseconds[milliseconds.Count / 2]:F1} | {milliseconds[milliseconds.Count * 99 / 100]:F1} | {milliseconds[^1]:F1}"
        );
    }
}
