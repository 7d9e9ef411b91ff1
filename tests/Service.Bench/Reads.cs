using System.Diagnostics;
using System.Globalization;

namespace Bellhop.Bench;

/// <summary>GET by id and a page of 50 with key and limits, beside a bare minimal API that runs the same statements.</summary>
public static class Reads
{
    private const int Seconds = 10;
    private const int Rows = 20_000;
    private static readonly int[] Connections = [32, 128];

    public static async Task<string> RunAsync(BenchHost host)
    {
        await Load.RunAsync(host, "/v1/events", 32, 5, 202, Body);
        var ids = await host.ColumnAsync($"SELECT id FROM events ORDER BY id DESC LIMIT {Rows}");
        await host.ExecuteAsync("VACUUM ANALYZE events");
        using var bare = Start(host);
        var port = int.Parse((await bare.StandardOutput.ReadLineAsync())!, CultureInfo.InvariantCulture);
        var rows = new List<string>();
        foreach (var (name, path) in Paths(ids))
        {
            await Load.GetAsync(host.Port, host.Key, 32, 20, path);
            await Load.GetAsync(port, host.Key, 32, 20, path);
            foreach (var connections in Connections)
            {
                rows.Add(await CompareAsync(host, port, name, path, connections));
            }
        }

        bare.StandardInput.Close();
        await bare.WaitForExitAsync();
        return $"""

            ## Reads, key and limits on (`./dev bench reads`)

            | | service, a second | bare API, a second | ratio | p99, service | p99, bare | ratio | client, cores |
            | --- | --- | --- | --- | --- | --- | --- | --- |
            {string.Join('\n', rows)}

            Medians of 3 × {Seconds} s by turns, {ids.Count} events. Bars: at 32 connections a rate of 0.7; at 128 a p99 of 1.5.
            """;
    }

    private static async Task<string> CompareAsync(
        BenchHost host,
        int bare,
        string name,
        Func<int, int, string> path,
        int connections
    )
    {
        var (subject, yardstick) = (new List<Load.Result>(), new List<Load.Result>());
        for (var round = 0; round < 3; round++)
        {
            subject.Add(await Load.GetAsync(host.Port, host.Key, connections, Seconds, path));
            yardstick.Add(await Load.GetAsync(bare, host.Key, connections, Seconds, path));
        }

        if (subject.Concat(yardstick).Sum(one => one.Unexpected) is var unexpected and > 0)
        {
            throw new InvalidOperationException($"{unexpected} unexpected answers to {name}");
        }

        var (rate, floor) = (Of(subject, one => one.PerSecond), Of(yardstick, one => one.PerSecond));
        var (p99, best) = (Of(subject, one => one.P99), Of(yardstick, one => one.P99));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"| {name}, {connections} connections | **{rate:F0}** | {floor:F0} | **{rate / floor:F2}** | {p99:F1} ms | {best:F1} ms | **{p99 / best:F2}** | {Of(subject, one => one.ClientCores):F2} |"
        );
    }

    private static double Of(List<Load.Result> results, Func<Load.Result, double> value) =>
        Load.Median(results.Select(value));

    private static IEnumerable<(string Name, Func<int, int, string> Path)> Paths(IReadOnlyList<Guid> ids) =>
        [
            ("by id", (connection, request) => $"/v1/events/{ids[((connection * 7919) + request) % ids.Count]}"),
            ("page of 50", (_, _) => "/v1/events?limit=50"),
        ];

    private static string Body(int connection, int request) =>
        $$$"""{"type":"order.created","source":"reads","id":"{{{connection}}}-{{{request}}}","data":{"order":{{{request}}},"customer":"acme","total":129.95}}""";

    private static Process Start(BenchHost host)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.ArgumentList.Add("bare-api");
        start.ArgumentList.Add(host.ConnectionString + ";Search Path=bellhop;Maximum Pool Size=40;Max Auto Prepare=20");
        start.ArgumentList.Add($"{host.DefaultProject()}");
        return Process.Start(start)!;
    }
}
