using System.Globalization;
using System.Text.Json;
using Npgsql;

namespace Bellhop.Bench;

/// <summary><c>bellhop bench jobs</c>: jobs that do nothing, enqueued a thousand a statement and drained by one process, beside its floor.</summary>
public static class Drain
{
    private const int Jobs = 500_000;
    private const int UrgentTomorrow = 100_000;
    private static readonly TimeSpan HeldOpen = TimeSpan.FromSeconds(60);

    public static async Task<string> RunAsync(BenchHost host)
    {
        var name = $"drain_{Guid.NewGuid():N}";
        var connectionString = await host.MakeDatabaseAsync(name);
        await JobFloor.RunAsync(host, connectionString, Jobs / 5);
        Run(host, connectionString, "warm", Jobs / 5);
        var floors = new List<double>();
        var plain = new List<Result>();
        for (var round = 0; round < 3; round++)
        {
            floors.Add(await JobFloor.RunAsync(host, connectionString, Jobs));
            plain.Add(Run(host, connectionString, $"plain-{round}", Jobs));
        }

        var tomorrow = await WithUrgentTomorrowAsync(host, connectionString);
        var beside = Run(host, connectionString, "plain-beside", Jobs);
        var snapshot = await WithSnapshotAsync(host, connectionString);
        var floor = Load.Median(floors);
        var drained = Load.Median(plain.Select(one => one.Drained));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""

            ## Drain of jobs that do nothing (`./dev bench drain`)

            `bellhop bench jobs --count {Jobs}`, a fresh process each; the floor: pgbench, {JobFloor.Clients} clients on a queue each,
            claiming and finishing {JobFloor.Claimed} a statement by the service's own statements.

            | | per second | median |
            | --- | --- | --- |
            | drained | {List(plain.Select(one => one.Drained))} | **{drained:F0}** |
            | floor | {List(floors)} | {floor:F0} |
            | enqueued, 1,000 a statement | {List(plain.Select(one => one.Enqueued))} | **{Load.Median(
                plain.Select(one => one.Enqueued)
            ):F0}** |
            | drained beside {UrgentTomorrow} more urgent ones due tomorrow | {tomorrow.Drained:F0} | beside plain {beside.Drained:F0} |
            | drained with a snapshot held open since {HeldOpen.TotalSeconds:F0} s before | {snapshot.Drained:F0} | |

            Drained / floor **{drained / floor:F2}** (bar 0.5, aim 40,000/s); due tomorrow {tomorrow.Drained / beside.Drained:F2}, snapshot {snapshot.Drained / beside.Drained:F2} of the plain one beside (bar 0.8).
            CPU a job, enqueue and drain: service {Load.Median(plain.Select(one => one.ServiceMicroseconds)):F1} µs, PostgreSQL {Load.Median(
                plain.Select(one => one.PostgresMicroseconds)
            ):F1} µs.
            """
        );
    }

    private static async Task<Result> WithUrgentTomorrowAsync(BenchHost host, string connectionString)
    {
        Run(host, connectionString, "urgent", 1); // makes the queue
        await using var database = NpgsqlDataSource.Create(connectionString + ";Search Path=bellhop;Command Timeout=0");
        await using var fill = database.CreateCommand(
            $"""
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, priority, max_attempts, kind, args)
            SELECT q.project_id, new_id(), q.queue_id, now() + interval '1 day', 1, 1, 20, 'noop', json_build_object()
            FROM queues q, generate_series(1, {UrgentTomorrow})
            WHERE q.name = 'urgent'
            """
        );
        await fill.ExecuteNonQueryAsync();
        return Run(host, connectionString, "urgent", Jobs);
    }

    private static async Task<Result> WithSnapshotAsync(BenchHost host, string connectionString)
    {
        await using var database = NpgsqlDataSource.Create(connectionString + ";Search Path=bellhop");
        await using var connection = await database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead);
        await using var look = new NpgsqlCommand("SELECT count(*) FROM projects", connection, transaction);
        await look.ExecuteScalarAsync();
        var until = DateTime.UtcNow + HeldOpen;
        Result last;
        do
        {
            last = Run(host, connectionString, "snapshot", Jobs);
        } while (DateTime.UtcNow < until);

        return last; // the one that ran in the dead rows of those before
    }

    private static Result Run(BenchHost host, string connectionString, string queue, int jobs)
    {
        var (service, postgres) = (BenchHost.ProgramsCpu(), host.PostgresCpu());
        using var report = JsonDocument.Parse(
            host.Bellhop($"bench jobs --count {jobs} --queue {queue}", connectionString)
        );
        return new Result(
            report.RootElement.GetProperty("enqueued_per_second").GetDouble(),
            report.RootElement.GetProperty("drained_per_second").GetDouble(),
            (BenchHost.ProgramsCpu() - service) * 1e6 / jobs,
            (host.PostgresCpu() - postgres) * 1e6 / jobs
        );
    }

    private static string List(IEnumerable<double> values) =>
        string.Join(", ", values.Select(value => value.ToString("F0", CultureInfo.InvariantCulture)));

    private sealed record Result(
        double Enqueued,
        double Drained,
        double ServiceMicroseconds,
        double PostgresMicroseconds
    );
}
