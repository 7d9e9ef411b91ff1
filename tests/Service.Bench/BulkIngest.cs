using System.Globalization;
using System.Text;

namespace Bellhop.Bench;

/// <summary>POST /v1/events/batch with 100 events a request, beside pgbench inserting 100 rows of the same shape in one plain statement.</summary>
public static class BulkIngest
{
    private const int Connections = 8;
    private const int PerRequest = 100;
    private const int Seconds = 10;

    public static async Task<string> RunAsync(BenchHost host)
    {
        await host.ExecuteAsync(
            "CREATE TABLE IF NOT EXISTS bench_events (id uuid PRIMARY KEY, type text, source text, event_id text, data json)"
        );
        const string yardstick = """
            INSERT INTO bench_events SELECT new_id(), 'order.created', 'bench', gen_random_uuid()::text,
            '{"order":1,"customer":"acme","total":129.95}'::json FROM generate_series(1, 100)
            """;
        await SendAsync(host, 20);
        host.Pgbench(yardstick, Connections, 3);
        var subject = new List<Load.Result>();
        var pgbench = new List<double>();
        for (var round = 0; round < 3; round++)
        {
            subject.Add(await SendAsync(host, Seconds));
            pgbench.Add(PerRequest * host.Pgbench(yardstick, Connections, Seconds));
        }

        var rate = PerRequest * Load.Median(subject.Select(one => one.PerSecond));
        var floor = Load.Median(pgbench);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""

            ## POST /v1/events/batch, {PerRequest} events a request, {Connections} connections (`./dev bench bulk`)

            | | events a second (3 × {Seconds} s) | median |
            | --- | --- | --- |
            | service | {string.Join(
                ", ",
                subject.Select(one => $"{PerRequest * one.PerSecond:F0}")
            )} | **{rate:F0}**, a request p50 {Load.Median(subject.Select(one => one.P50)):F1} ms, p99 {Load.Median(
                subject.Select(one => one.P99)
            ):F1} ms |
            | pgbench, 100 rows into a bare table with one index | {string.Join(
                ", ",
                pgbench.Select(one => $"{one:F0}")
            )} | {floor:F0} |

            Ratio {rate / floor:F2} (bar 40,000/s); load generator {Load.Median(
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
            "/v1/events/batch",
            Connections,
            seconds,
            202,
            (connection, request) => Body($"{run}-{connection}-{request}")
        );
    }

    private static string Body(string prefix)
    {
        var body = new StringBuilder("{\"events\":[", PerRequest * 130);
        for (var number = 0; number < PerRequest; number++)
        {
            body.Append(number == 0 ? "" : ",")
                .Append("{\"type\":\"order.created\",\"source\":\"bench\",\"id\":\"")
                .Append(prefix)
                .Append('-')
                .Append(number)
                .Append("\",\"data\":{\"order\":")
                .Append(number)
                .Append(",\"customer\":\"acme\",\"total\":129.95}}");
        }

        return body.Append("]}").ToString();
    }
}
