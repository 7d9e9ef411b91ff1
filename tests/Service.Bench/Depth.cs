using System.Diagnostics;
using System.Globalization;
using System.Text;
using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Database;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Bench;

/// <summary>What a claim and an end of a hundred jobs cost over ever more rows that are not theirs, with the plans at the end.</summary>
public static class Depth
{
    private const int Rounds = 500;
    private const int Beating = 5_000;

    private static readonly (string Name, string Fill)[] Stages =
    [
        (
            "1,000,000 ready",
            """
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, args)
            SELECT q.project_id, new_id(), q.queue_id, now(), 1, 20, 'noop', json_build_object()
            FROM queues q, generate_series(1, 1000000)
            WHERE q.name = 'deep'
            """
        ),
        (
            "and 5,000,000 finished",
            """
            INSERT INTO job_history (
                project_id, id, finished_at, queue_id, outcome, priority, claim_no, attempt, max_attempts, lost, run_at, kind
            )
            SELECT q.project_id, new_id(), now(), q.queue_id, 0, 3, 1, 1, 20, 0, now(), 'noop'
            FROM queues q, generate_series(1, 5000000)
            WHERE q.name = 'deep'
            """
        ),
        (
            "and 1,000,000 more urgent ones due tomorrow",
            """
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, priority, max_attempts, kind, args)
            SELECT q.project_id, new_id(), q.queue_id, now() + interval '1 day', 1, 1, 20, 'noop', json_build_object()
            FROM queues q, generate_series(1, 1000000)
            WHERE q.name = 'deep'
            """
        ),
        (
            "and 10,000 full lanes, ten jobs waiting in each",
            """
            INSERT INTO jobs (
                project_id, id, queue_id, run_at, state, wait_reason, max_attempts, kind, args, lane, claim_no, lease_until, claimed_at
            )
            SELECT q.project_id, new_id(), q.queue_id, now(), CASE WHEN n <= 10000 THEN 2 ELSE 0 END,
                CASE WHEN n <= 10000 THEN 0 ELSE 1 END, 20, 'noop', json_build_object(), 'lane-' || n % 10000,
                CASE WHEN n <= 10000 THEN 1 ELSE 0 END, CASE WHEN n <= 10000 THEN now() + interval '1 day' END,
                CASE WHEN n <= 10000 THEN now() END
            FROM queues q, generate_series(1, 110000) AS n
            WHERE q.name = 'lanes'
            """
        ),
    ];

    public static async Task<string> RunAsync(BenchHost host)
    {
        var connectionString = await host.MakeDatabaseAsync($"depth_{Guid.NewGuid():N}");
        await using var owner = NpgsqlDataSource.Create(connectionString + ";Search Path=bellhop;Command Timeout=0");
        await using var databases = Databases.Open(connectionString);
        await ExecuteAsync(
            owner,
            """
            INSERT INTO queues (project_id, name, served_by, retry, lane_limit)
            SELECT p.id, q.name, 'service', json_build_object(), q.lane_limit
            FROM projects p, (VALUES ('deep', NULL::smallint), ('lanes', 1)) AS q(name, lane_limit)
            WHERE p.name = 'default'
            """
        );
        var table = new StringBuilder();
        foreach (var (name, fill) in Stages)
        {
            await ExecuteAsync(owner, fill);
            await ExecuteAsync(owner, "VACUUM ANALYZE jobs, job_history");
            await ExecuteAsync(owner, "CHECKPOINT");
            await using var connection = await databases.Engine.OpenConnectionAsync();
            var (claims, ends) = await MeasureAsync(connection);
            table.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {Show(claims)} | {Show(ends)} |");
        }

        await using var last = await databases.Engine.OpenConnectionAsync();
        var (claim, end) = await ExplainAsync(last);
        return $"""

            ## Claims and ends over deep tables (`./dev bench depth`)

            A whole look at the queues and a claim of {EngineStatements.AtOnce} jobs, then their end, {Rounds} times one after the other by the service's own
            statements and session settings, after `VACUUM ANALYZE`. Milliseconds, p50 / p99 / longest; bar for a claim: p99 15.

            | the tables hold | claim | end |
            | --- | --- | --- |
            {table.ToString().TrimEnd()}

            {await BeatAsync(owner, databases)}

            The claim, with all of that there:

            ```
            {claim}
            ```

            The end of what it claimed:

            ```
            {end}
            ```
            """;
    }

    private static async Task<(List<double> Claims, List<double> Ends)> MeasureAsync(NpgsqlConnection connection)
    {
        var (claims, ends) = (new List<double>(), new List<double>());
        for (var round = -20; round < Rounds; round++)
        {
            var watch = Stopwatch.StartNew();
            var taken = await EngineStatements.ClaimAsync(connection);
            var claimed = watch.Elapsed;
            await using (var end = EngineStatements.End(connection, taken))
            {
                await end.ExecuteNonQueryAsync();
            }

            if (taken.Count != EngineStatements.AtOnce)
            {
                throw new InvalidOperationException($"{taken.Count} jobs were claimed");
            }

            if (round >= 0)
            {
                claims.Add(claimed.TotalMilliseconds);
                ends.Add((watch.Elapsed - claimed).TotalMilliseconds);
            }
        }

        return (claims, ends);
    }

    /// <summary>Both are run, and undone.</summary>
    private static async Task<(string Claim, string End)> ExplainAsync(NpgsqlConnection connection)
    {
        const string Explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, COSTS OFF) ";
        var taken = await EngineStatements.ClaimAsync(connection);
        await using var transaction = await connection.BeginTransactionAsync();
        await using var claim = EngineStatements.Claim(connection, Explain + ClaimStatements.Sql.Whole);
        await using var end = EngineStatements.End(connection, taken);
        end.CommandText = Explain + end.CommandText;
        return (await ReadAsync(claim), await ReadAsync(end));
    }

    private static async Task<string> ReadAsync(NpgsqlCommand command)
    {
        var lines = new StringBuilder();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var line = reader.GetString(0);
            lines.AppendLine(line.Length > 200 ? line[..200] + " …" : line);
        }

        return lines.ToString().TrimEnd();
    }

    /// <summary>Heartbeats of five thousand running jobs: what part of a core they take, and whether they are kept off the indexes.</summary>
    private static async Task<string> BeatAsync(NpgsqlDataSource owner, Databases databases)
    {
        const int Beats = 60;
        const double Every = 10;
        await using var connection = await databases.Engine.OpenConnectionAsync();
        var held = new List<(Guid Project, Guid Id, long ClaimNo)>();
        while (held.Count < Beating)
        {
            held.AddRange(await EngineStatements.ClaimAsync(connection));
        }

        await ExecuteAsync(owner, "VACUUM jobs");
        await ExecuteAsync(owner, "SELECT pg_stat_reset_single_table_counters('jobs'::regclass)");
        var watch = Stopwatch.StartNew();
        for (var beat = 0; beat < Beats; beat++)
        {
            foreach (var some in held.Chunk(1_000))
            {
                await using var extend = EngineStatements.Command(
                    connection,
                    Heartbeat.Sql.Extend,
                    new()
                    {
                        ["ProjectIds"] = (NpgsqlDbType.Uuid, some.Select(job => job.Project).ToArray()),
                        ["Ids"] = (NpgsqlDbType.Uuid, some.Select(job => job.Id).ToArray()),
                        ["ClaimNos"] = (NpgsqlDbType.Bigint, some.Select(job => job.ClaimNo).ToArray()),
                        ["LeaseSeconds"] = (NpgsqlDbType.Integer, Enumerable.Repeat(30, some.Length).ToArray()),
                    }
                );
                await extend.ExecuteNonQueryAsync();
            }
        }

        var perBeat = watch.Elapsed.TotalSeconds / Beats;
        await using var read = owner.CreateCommand(
            """
            SELECT pg_stat_force_next_flush();
            SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE schemaname = 'bellhop' AND relname = 'jobs'
            """
        );
        await connection.CloseAsync();
        databases.Engine.Clear(); // a session tells what it did when it ends
        await using var reader = await read.ExecuteReaderAsync();
        await reader.NextResultAsync();
        await reader.ReadAsync();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"Heartbeats of {Beating} running jobs: {perBeat * 1_000:F0} ms each time, {perBeat / Every:P1} of a core at one in {Every:F0} s (bar 3 %); {reader.GetInt64(
                1
            ) / (double)reader.GetInt64(0):P1} of {reader.GetInt64(0)} updates touched no index (bar 95 %)."
        );
    }

    private static async Task ExecuteAsync(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private static string Show(List<double> milliseconds)
    {
        milliseconds.Sort();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{milliseconds[milliseconds.Count / 2]:F1} / {milliseconds[milliseconds.Count * 99 / 100]:F1} / {milliseconds[^1]:F1}"
        );
    }
}
