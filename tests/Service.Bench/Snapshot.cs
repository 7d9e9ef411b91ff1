using System.Diagnostics;
using System.Globalization;
using Bellhop.Infrastructure.Database;
using Npgsql;

namespace Bellhop.Bench;

/// <summary>Five hundred jobs a second while a transaction is held open for ten minutes, which keeps every dead row in its place.</summary>
public static class Snapshot
{
    private const int PerSecond = 500;
    private static readonly TimeSpan Calm = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Held = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(EngineStatements.AtOnce / (double)PerSecond);

    public static async Task<string> RunAsync(BenchHost host)
    {
        var connectionString = await host.MakeDatabaseAsync($"snapshot_{Guid.NewGuid():N}");
        await using var owner = NpgsqlDataSource.Create(connectionString + ";Search Path=bellhop;Command Timeout=0");
        await using var databases = Databases.Open(connectionString);
        await using (
            var queue = owner.CreateCommand(
                """
                INSERT INTO queues (project_id, name, served_by, retry)
                SELECT id, 'steady', 'service', json_build_object() FROM projects WHERE name = 'default'
                """
            )
        )
        {
            await queue.ExecuteNonQueryAsync();
        }

        var rows = new List<string> { Show("before", await WorkAsync(databases, Calm)) };
        await using (var connection = await owner.OpenConnectionAsync())
        await using (await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead))
        {
            await using var look = new NpgsqlCommand("SELECT count(*) FROM projects", connection);
            await look.ExecuteScalarAsync();
            for (var minutes = 2; minutes <= Held.TotalMinutes; minutes += 2)
            {
                rows.Add(Show($"held, to minute {minutes}", await WorkAsync(databases, TimeSpan.FromMinutes(2))));
            }
        }

        for (var tenth = 10; tenth <= 60; tenth += 10)
        {
            rows.Add(Show($"released, to second {tenth}", await WorkAsync(databases, TimeSpan.FromSeconds(10))));
        }

        return $"""

            ## Claims while a transaction is held open (`./dev bench snapshot`)

            {PerSecond} jobs a second by the service's own statements: {EngineStatements.AtOnce} are enqueued, claimed by a whole look at the queues, and ended; every
            {Every.TotalMilliseconds:F0} ms. The claim in milliseconds; bar: p99 50 throughout, and as before within 30 s of the release.

            | | p50 | p99 | longest |
            | --- | --- | --- | --- |
            {string.Join('\n', rows)}
            """;
    }

    private static async Task<List<double>> WorkAsync(Databases databases, TimeSpan time)
    {
        var took = new List<double>();
        await using var connection = await databases.Engine.OpenConnectionAsync();
        using var timer = new PeriodicTimer(Every);
        var whole = Stopwatch.StartNew();
        while (whole.Elapsed < time && await timer.WaitForNextTickAsync())
        {
            await using var fill = new NpgsqlCommand(
                $"""
                INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, args)
                SELECT q.project_id, new_id(), q.queue_id, now(), 1, 20, 'noop', json_build_object()
                FROM queues q, generate_series(1, {EngineStatements.AtOnce})
                WHERE q.name = 'steady'
                """,
                connection
            );
            await fill.ExecuteNonQueryAsync();
            var watch = Stopwatch.StartNew();
            var taken = await EngineStatements.ClaimAsync(connection);
            took.Add(watch.Elapsed.TotalMilliseconds);
            await using var end = EngineStatements.End(connection, taken);
            await end.ExecuteNonQueryAsync();
        }

        return took;
    }

    private static string Show(string name, List<double> milliseconds)
    {
        milliseconds.Sort();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"| {name} | {milliseconds[milliseconds.Count / 2]:F1} | {milliseconds[milliseconds.Count * 99 / 100]:F1} | {milliseconds[^1]:F1} |"
        );
    }
}
