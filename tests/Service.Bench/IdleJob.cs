using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Bellhop.Bench;

/// <summary>POST /v1/jobs on an idle service → the handler's first line, in one process; beside two raw commits of the same rows.</summary>
public static class IdleJob
{
    private const int Warm = 500;
    private const int Jobs = 1000;

    public static async Task<string> RunAsync(BenchHost host)
    {
        var database = $"idle_{Guid.NewGuid():N}";
        await host.ExecuteAsync($"CREATE DATABASE {database}");
        var connectionString = new NpgsqlConnectionStringBuilder(host.ConnectionString)
        {
            Database = database,
        }.ConnectionString;
        var settings = new Settings
        {
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            InternalListen = new IPEndPoint(IPAddress.Loopback, 0),
            StateDirectory = host.Directory,
            Roles = ["api", "worker", "scheduler"],
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
        var stamp = new Stamp();
        await using var app = Program.Build(
            settings,
            Task.FromResult(storage),
            builder => builder.Services.AddSingleton<JobConsumer>(stamp)
        );
        await app.StartAsync();
        var latencies = await MeasureAsync(app, storage, stamp);
        var raw = await RawAsync(connectionString);
        await app.StopAsync();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""

            ## Idle job latency, one at a time (`./dev bench idle-job`)

            | {Jobs} jobs | p50 | p99 |
            | --- | --- | --- |
            | from sending POST /v1/jobs to the handler's first line | **{Load.At(latencies, 0.5):F2} ms** | **{Load.At(
                latencies,
                0.99
            ):F2} ms** |
            | two raw commits: insert the row, claim it | {Load.At(raw, 0.5):F2} ms | {Load.At(raw, 0.99):F2} ms |

            Bar: p50 2 ms, p99 5 ms.
            """
        );
    }

    private static async Task<double[]> MeasureAsync(WebApplication app, Storage storage, Stamp stamp)
    {
        using var scope = app.Services.CreateScope();
        var project = await ProjectAsync(storage.Databases.Main);
        var caller = scope.ServiceProvider.GetRequiredService<Infrastructure.Auth.Caller>();
        caller.Become(Infrastructure.Auth.Identity.Internal(project, "bench"));
        var made = await scope
            .ServiceProvider.GetRequiredService<IMediator>()
            .Send(new Features.ApiKeys.CreateApiKey.Command(new Features.ApiKeys.KeyDocument("bench", "owner")));
        using var client = new HttpClient { BaseAddress = app.Services.GetRequiredService<Listeners>().Api };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", made.Unwrap().Key);
        var latencies = new List<double>();
        for (var number = 0; number < Warm + Jobs; number++)
        {
            var started = stamp.Next();
            var began = Stopwatch.GetTimestamp();
            using var answer = await client.PostAsJsonAsync(
                "/v1/jobs",
                new
                {
                    queue = "default",
                    kind = Stamp.Name,
                    args = new { },
                }
            );
            answer.EnsureSuccessStatusCode();
            var at = await started;
            if (number >= Warm)
            {
                latencies.Add((at - began) * 1000.0 / Stopwatch.Frequency);
            }

            await Task.Delay(Random.Shared.Next(5, 20)); // idle in between
        }

        return [.. latencies.Order()];
    }

    private static async Task<double[]> RawAsync(string connectionString)
    {
        await using var database = NpgsqlDataSource.Create(
            connectionString + ";Search Path=bellhop;Max Auto Prepare=10"
        );
        await using var connection = await database.OpenConnectionAsync();
        var project = await ProjectAsync(database);
        var latencies = new List<double>();
        for (var number = 0; number < Jobs; number++)
        {
            var id = Guid.CreateVersion7();
            var began = Stopwatch.GetTimestamp();
            await ExecuteAsync(
                connection,
                "INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, args) VALUES ($1, $2, 0, now(), 1, 20, 'raw', '{}')",
                project,
                id
            );
            await ExecuteAsync(
                connection,
                "UPDATE jobs SET state = 2, claim_no = claim_no + 1, lease_until = now() + interval '30 seconds' WHERE project_id = $1 AND id = $2",
                project,
                id
            );
            latencies.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            await Task.Delay(5);
        }

        return [.. latencies.Order()];
    }

    private static async Task<Guid> ProjectAsync(NpgsqlDataSource database)
    {
        await using var command = database.CreateCommand("SELECT id FROM bellhop.projects WHERE name = 'default'");
        return (Guid)(await command.ExecuteScalarAsync())!;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, Guid project, Guid id)
    {
        await using var command = new NpgsqlCommand(sql, connection)
        {
            Parameters =
            {
                new() { Value = project },
                new() { Value = id },
            },
        };
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>A kind whose handler says when it began.</summary>
    private sealed class Stamp : JobConsumer
    {
        public const string Name = "bench.stamp";

        // set by the measuring loop before it enqueues, completed by the handler
        private TaskCompletionSource<long> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override string Kind => Name;

        public Task<long> Next()
        {
            _started = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            return _started.Task;
        }

        public override Task<JobOutcome> RunAsync(
            IMediator mediator,
            ClaimedJob job,
            CancellationToken cancellationToken
        )
        {
            _started.TrySetResult(Stopwatch.GetTimestamp());
            return Task.FromResult<JobOutcome>(new JobOutcome.Succeeded(null));
        }
    }
}
