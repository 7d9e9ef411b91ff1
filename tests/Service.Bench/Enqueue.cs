using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Bellhop.Bench;

/// <summary>Enqueue, one job a call: callers in the process and over REST, beside pgbench inserting the same row with a commit each.</summary>
public static class Enqueue
{
    private const int Seconds = 10;
    private const int Listeners = 50;
    private const string Queue = "bench-enqueue"; // of workers: nobody drains it meanwhile

    public static async Task<string> RunAsync(BenchHost host)
    {
        var connectionString = await host.MakeDatabaseAsync($"enqueue_{Guid.NewGuid():N}");
        var settings = new Settings
        {
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            InternalListen = new IPEndPoint(IPAddress.Loopback, 0),
            StateDirectory = host.Directory,
            Roles = ["api"],
            TrustedProxies = [],
            AllowedHosts = [],
            KeyRing = Path.Combine(host.Directory, "keyring"),
            OutgoingAllowNetworks = [],
            ShutdownGraceSeconds = 5,
            DrainDelaySeconds = 0,
            ConnectionString = connectionString,
        };
        await using var storage = await Storage.OpenAsync(
            settings,
            Program.Composition.Settle,
            TimeSpan.Zero,
            _ => { },
            CancellationToken.None
        );
        await using var app = Program.Build(settings, Task.FromResult(storage), _ => { });
        await app.StartAsync();
        await MakeQueueAsync(host);
        await using var database = Npgsql.NpgsqlDataSource.Create(connectionString + ";Search Path=bellhop");
        var (project, queue) = await PrepareAsync(database);
        var name = new Npgsql.NpgsqlConnectionStringBuilder(connectionString).Database!;
        await CallAsync(app, project, 64, 20);
        var calls = new Dictionary<int, List<double>> { [8] = [], [64] = [] };
        var floors = new Dictionary<int, List<double>> { [8] = [], [64] = [] };
        var rest = new Dictionary<int, List<Load.Result>> { [8] = [], [64] = [] };
        for (var round = 0; round < 3; round++)
        {
            foreach (var callers in calls.Keys)
            {
                calls[callers].Add(await CallAsync(app, project, callers, Seconds));
                floors[callers].Add(Floor(host, name, project, queue, callers));
                rest[callers].Add(await RestAsync(host, callers));
            }
        }

        var (alone, listened) = await BesideListenersAsync(app, database, project);
        await app.StopAsync();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""

            ## Enqueue, one job a call (`./dev bench enqueue`)

            | | per second (3 × {Seconds} s) | median | of the floor |
            | --- | --- | --- | --- |
            {string.Join(
                '\n',
                calls.Keys.Select(callers => Rows(callers, calls[callers], floors[callers], rest[callers]))
            )}

            The floor: pgbench inserting the same row, a commit each, as many clients. Bars: 8 callers 0.6, 64 callers 26,800/s.
            Beside {Listeners} sessions that listen for the service's signals, 8 callers: {List(listened)} against {List(alone)} by turns,
            {Load.Median(listened) / Load.Median(alone):F2} (bar 0.95).
            """
        );
    }

    private static async Task<(List<double> Alone, List<double> Beside)> BesideListenersAsync(
        WebApplication app,
        Npgsql.NpgsqlDataSource database,
        Guid project
    )
    {
        var (alone, beside) = (new List<double>(), new List<double>());
        for (var round = 0; round < 3; round++)
        {
            alone.Add(await CallAsync(app, project, 8, Seconds));
            var listeners = new List<Npgsql.NpgsqlConnection>();
            while (listeners.Count < Listeners)
            {
                var listener = await database.OpenConnectionAsync();
                listeners.Add(listener);
                await using var listen = new Npgsql.NpgsqlCommand("LISTEN bellhop", listener);
                await listen.ExecuteNonQueryAsync();
            }

            beside.Add(await CallAsync(app, project, 8, Seconds));
            foreach (var listener in listeners)
            {
                await listener.DisposeAsync();
            }
        }

        return (alone, beside);
    }

    private static string Rows(int callers, List<double> calls, List<double> floors, List<Load.Result> rest)
    {
        var floor = Load.Median(floors);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""
            | {callers} callers in the process | {List(calls)} | **{Load.Median(calls):F0}** | **{Load.Median(calls)
                / floor:F2}** |
            | {callers} connections over REST | {List(rest.Select(one => one.PerSecond))} | {Load.Median(
                rest.Select(one => one.PerSecond)
            ):F0}, p99 {Load.Median(rest.Select(one => one.P99)):F1} ms | {Load.Median(rest.Select(one => one.PerSecond))
                / floor:F2} |
            | pgbench, {callers} clients | {List(floors)} | {floor:F0} | |
            """
        );
    }

    private static string List(IEnumerable<double> values) =>
        string.Join(", ", values.Select(value => value.ToString("F0", CultureInfo.InvariantCulture)));

    /// <summary>Callers that each send the command, wait for its answer, and send the next.</summary>
    private static async Task<double> CallAsync(WebApplication app, Guid project, int callers, int seconds)
    {
        var document = new JobDocument("send-letter", Queue: Queue);
        var until = Stopwatch.GetTimestamp() + (seconds * Stopwatch.Frequency);
        var watch = Stopwatch.StartNew();
        var counts = await Task.WhenAll(
            Enumerable
                .Range(0, callers)
                .Select(_ =>
                    Task.Run(async () =>
                    {
                        var count = 0;
                        for (; Stopwatch.GetTimestamp() < until; count++)
                        {
                            await using var scope = app.Services.CreateAsyncScope();
                            scope
                                .ServiceProvider.GetRequiredService<Caller>()
                                .Become(Identity.Internal(project, "bench"));
                            var mediator = scope.ServiceProvider.GetRequiredService<IMediator>();
                            (await mediator.Send(new EnqueueJob.Command(document))).Unwrap();
                        }

                        return count;
                    })
                )
        );
        return counts.Sum() / watch.Elapsed.TotalSeconds;
    }

    private static double Floor(BenchHost host, string database, Guid project, long queue, int clients) =>
        host.PgbenchScript(
            $"INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, args) VALUES ('{project}', new_id(), {queue}, now(), 1, 20, 'send-letter', '{{}}');\n",
            database,
            clients,
            $"-T {Seconds}"
        );

    private static Task<Load.Result> RestAsync(BenchHost host, int connections) =>
        Load.RunAsync(
            host,
            "/v1/jobs",
            connections,
            Seconds,
            201,
            (_, _) => $$"""{"queue":"{{Queue}}","kind":"send-letter"}"""
        );

    private static async Task MakeQueueAsync(BenchHost host)
    {
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{host.Port}") };
        client.DefaultRequestHeaders.Authorization = new("Bearer", host.Key);
        using var made = await client.PutAsJsonAsync($"/v1/queues/{Queue}", new { served_by = "workers" });
        made.EnsureSuccessStatusCode();
    }

    private static async Task<(Guid Project, long Queue)> PrepareAsync(Npgsql.NpgsqlDataSource database)
    {
        await using var command = database.CreateCommand(
            $"""
            INSERT INTO queues (project_id, name, served_by, retry)
            SELECT id, '{Queue}', 'workers', json_build_object() FROM projects WHERE name = 'default'
            RETURNING project_id, queue_id
            """
        );
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetGuid(0), reader.GetInt64(1));
    }
}
