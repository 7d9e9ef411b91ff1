using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Bellhop.Features.Events;

namespace Bellhop.Bench;

/// <summary>POST /v1/events, one event a request, beside pgbench running the same statement with a commit each.</summary>
public static class PlainIngest
{
    private const int Connections = 32;
    private const int Seconds = 10;

    public static async Task<string> RunAsync(BenchHost host)
    {
        var yardstick = Statement(host.DefaultProject());
        await SendAsync(host, 20);
        host.Pgbench(yardstick, Connections, 3);
        var subject = new List<Load.Result>();
        var pgbench = new List<double>();
        for (var round = 0; round < 3; round++)
        {
            subject.Add(await SendAsync(host, Seconds));
            pgbench.Add(host.Pgbench(yardstick, Connections, Seconds));
        }

        var rate = Load.Median(subject.Select(one => one.PerSecond));
        var floor = Load.Median(pgbench);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""

            ## POST /v1/events, {Connections} connections (`./dev bench ingest`)

            | | per second (3 × {Seconds} s) | median |
            | --- | --- | --- |
            | service | {string.Join(
                ", ",
                subject.Select(one => $"{one.PerSecond:F0}")
            )} | **{rate:F0}**, p50 {Load.Median(subject.Select(one => one.P50)):F1} ms, p99 {Load.Median(
                subject.Select(one => one.P99)
            ):F1} ms |
            | pgbench, the same SQL, a commit each | {string.Join(
                ", ",
                pgbench.Select(one => $"{one:F0}")
            )} | {floor:F0} |

            Ratio {rate / floor:F2} (bar 0.6, 8,000/s, p99 25 ms); load generator {Load.Median(
                subject.Select(one => one.ClientCores)
            ):F2} cores; {subject.Sum(one => one.Unexpected)} unexpected answers.
            """
        );
    }

    private static Task<Load.Result> SendAsync(BenchHost host, int seconds)
    {
        var run = Guid.NewGuid().ToString("N")[..8];
        return Load.RunAsync(
            host,
            "/v1/events",
            Connections,
            seconds,
            202,
            (connection, request) =>
                $$$"""{"type":"order.created","source":"bench","id":"{{{run}}}-{{{connection}}}-{{{request}}}","subject":"42","data":{"order":{{{request}}},"customer":"acme","total":129.95,"currency":"EUR","lines":[{"sku":"a-1","n":2},{"sku":"b-7","n":1}]}}"""
        );
    }

    /// <summary>The service's own statement with values in place of its parameters.</summary>
    private static string Statement(Guid project)
    {
        var sql = (string)
            typeof(EventWriter).GetNestedType("Sql", BindingFlags.NonPublic)!.GetField("Store")!.GetRawConstantValue()!;
        var values = new Dictionary<string, string>
        {
            ["ProjectIds"] = $"ARRAY['{project}'::uuid]",
            ["Ids"] = "ARRAY[new_id()]",
            ["ReceivedAts"] = "ARRAY[now()]",
            ["Sources"] = "ARRAY['pgbench']",
            ["EventIds"] = "ARRAY[gen_random_uuid()::text]",
            ["Types"] = "ARRAY['order.created']",
            ["Subjects"] = "ARRAY['42']",
            ["Data"] =
                """ARRAY['{"order":1,"customer":"acme","total":129.95,"currency":"EUR","lines":[{"sku":"a-1","n":2},{"sku":"b-7","n":1}]}']""",
            ["Depths"] = "ARRAY[0]",
            ["RulesVersions"] = "ARRAY[9223372036854775807]",
            ["OverBudgets"] = "ARRAY[false]",
        };
        return Regex.Replace(
            sql,
            @"(?<!:)@(\w+)",
            match => values.GetValueOrDefault(match.Groups[1].Value, "ARRAY[NULL]")
        );
    }
}
