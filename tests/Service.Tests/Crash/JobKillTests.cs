using System.Diagnostics;
using System.Net;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>What becomes of jobs when the process that has them ends in the middle.</summary>
public sealed class JobKillTests : IAsyncLifetime
{
    private readonly EmbeddedCluster _cluster = EmbeddedCluster.Start(Checkout.State, throwAway: true);
    private readonly string _state = Directory.CreateTempSubdirectory("bellhop-jobs-").FullName;
    private readonly int _seed = JobLedger.NewSeed();
    private NpgsqlDataSource _database = null!;

    public ValueTask InitializeAsync()
    {
        _database = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(_cluster.ConnectionString)
            {
                Options = "-c search_path=bellhop",
                ApplicationName = "the test",
            }
        );
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        _cluster.Dispose();
        Directory.Delete(_state, recursive: true);
    }

    [Fact]
    public Task Kills_of_the_service_lose_no_job_and_pass_no_limit() => KillAsync(kills: 2, jobs: 300);

    [Fact]
    [Trait("Category", "nightly")]
    public Task Twenty_kills_of_the_service_lose_no_job_and_pass_no_limit() => KillAsync(kills: 20, jobs: 6000);

    [Fact]
    public async Task A_job_whose_effect_is_done_and_whose_end_is_not_stored_runs_again_and_is_over_once()
    {
        var effects = Path.Combine(_state, "effects");
        await using var service = NewService($"echo $BELLHOP_ATTEMPT $BELLHOP_CLAIM_NO >> {effects}");
        await service.ServeAsync();
        using var client = service.NewClient();
        await using var connection = await _database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        // the end waits for a lock that the test holds, and goes with its session
        await connection.ExecuteAsync(
            """
            CREATE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$;
            CREATE TRIGGER wait_for_test BEFORE INSERT ON job_history FOR EACH ROW EXECUTE FUNCTION wait_for_test();
            SELECT pg_advisory_lock(4711);
            """
        );
        var id = (await client.PostAsync("/v1/jobs", """{"kind":"shell","args":{"command":"run"}}"""))
            .Expect(HttpStatusCode.Created)
            .Id;
        await Eventually.BeTrueAsync(
            () =>
                connection.QuerySingleAsync<bool>(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted)"
                ),
            "the end of the job is being stored"
        );
        await service.KillAsync();
        await connection.ExecuteAsync(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bellhop%';
            SELECT pg_advisory_unlock(4711);
            """
        );
        await MakeDueAsync(connection);
        await service.ServeAsync();
        await Eventually.BeTrueAsync(() => IsOverAsync(connection, id), "the job is over");

        Assert.Equal(["1 1", "2 2"], await File.ReadAllLinesAsync(effects, TestContext.Current.CancellationToken));
        Assert.Equal(
            (0, 2, 1),
            await connection.QuerySingleAsync<(short, short, short)>(
                "SELECT outcome, attempt, lost FROM job_history WHERE id = @id",
                new { id }
            )
        );
    }

    [Fact]
    public async Task A_job_that_kills_its_process_is_failed_at_the_third_and_no_other_is()
    {
        // the service is its parent
        await using var service = NewService("kill -9 $PPID; exec sleep 60");
        await service.ServeAsync();
        using var client = service.NewClient();
        await using var connection = await _database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var bad = (await client.PostAsync("/v1/jobs", """{"kind":"shell","args":{"command":"run"},"priority":1}"""))
            .Expect(HttpStatusCode.Created)
            .Id;
        await service.ExitAsync();
        await EnqueueAsync(connection, innocent: 200);
        for (var death = 2; death <= 3; death++)
        {
            await MakeDueAsync(connection);
            service.Start("serve");
            await Eventually.BeTrueAsync(
                async () => service.HasExited || await MakeDueAsync(connection, leases: false) < 0,
                "the job has killed its process again",
                TimeSpan.FromSeconds(60)
            );
        }

        await MakeDueAsync(connection);
        await service.ServeAsync();
        await DrainAsync(connection);

        var failed = await connection.QuerySingleAsync<(Guid Id, string Reason, short Lost, long ClaimNo)>(
            "SELECT id, reason, lost, claim_no FROM job_history WHERE outcome <> 0"
        );
        Assert.Equal((bad, "worker_lost", (short)2, 3L), failed);
        Assert.Equal(
            200,
            await connection.QuerySingleAsync<int>(
                "SELECT count(DISTINCT id)::integer FROM job_history WHERE kind = 'sleep' AND outcome = 0"
            )
        );
        Assert.False(service.HasExited);
    }

    [Fact]
    public async Task A_process_that_is_asked_to_stop_gives_its_jobs_to_another_within_a_second()
    {
        await using var one = NewService(grace: 0);
        await using var other = NewService(grace: 0);
        await one.ServeAsync();
        using var client = one.NewClient();
        for (var number = 0; number < 20; number++)
        {
            (await client.PostAsync("/v1/jobs", """{"kind":"sleep","args":{"seconds":60}}""")).Expect(
                HttpStatusCode.Created
            );
        }

        await using var connection = await _database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await Eventually.BeTrueAsync(async () => await RunningAsync(connection) == 20, "all of them run");
        await other.ServeAsync();
        Assert.Equal(0, await one.StopAsync());
        var watch = Stopwatch.StartNew();
        await Eventually.BeTrueAsync(async () => await RunningAsync(connection) == 20, "they run again");

        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Equal(
            (20, 20, 0),
            await connection.QuerySingleAsync<(int, int, int)>(
                """
                SELECT (SELECT count(*) FROM jobs WHERE attempt = 1 AND claim_no >= 2)::integer,
                    (SELECT count(DISTINCT job_id) FROM job_attempts WHERE outcome = 'released')::integer,
                    (SELECT sum(lost) FROM jobs)::integer
                """
            )
        );
    }

    private async Task KillAsync(int kills, int jobs)
    {
        var random = new Random(_seed);
        await using var service = NewService();
        await service.ServeAsync();
        using var ledger = new Ledger(Path.Combine(_state, "ledger"));
        var books = new JobLedger(service.NewClient, _database, ledger, _seed);
        await books.PrepareAsync();

        var enqueueing = books.EnqueueAsync(jobs, clients: 8);
        var inFlight = 0;
        for (var kill = 1; kill <= kills; kill++)
        {
            var reached = jobs * kill / (kills + 1);
            await Eventually.BeTrueAsync(
                () => Task.FromResult(ledger.Acknowledged.Count >= reached || enqueueing.IsCompleted),
                "jobs are enqueued",
                TimeSpan.FromMinutes(2)
            );
            await Task.Delay(random.Next(0, 100), TestContext.Current.CancellationToken);
            await service.KillAsync();
            inFlight += await books.ExpireAsync();
            await service.ServeAsync();
        }

        await enqueueing;
        await books.CheckAsync(jobs, kills, inFlight, TimeSpan.FromMinutes(2));
    }

    private ServiceProcess NewService(string? command = null, int grace = 5)
    {
        var more = new Dictionary<string, string> { ["Bellhop__ShutdownGraceSeconds"] = grace.ToString(null, null) };
        if (command is not null)
        {
            (more["Bellhop__Shell__Commands__run__0"], more["Bellhop__Shell__Commands__run__1"]) = ("/bin/sh", "-c");
            more["Bellhop__Shell__Commands__run__2"] = command;
        }

        return new ServiceProcess(_state, _cluster.ConnectionString, more);
    }

    /// <summary>Ends the leases of a process that is gone, and the pauses after earlier ones.</summary>
    private static Task<int> MakeDueAsync(NpgsqlConnection connection, bool leases = true) =>
        connection.ExecuteAsync(
            """
            UPDATE jobs SET lease_until = now() - interval '1 second' WHERE state = 2 AND @leases;
            UPDATE jobs SET run_at = now() WHERE state = 1 AND run_at > now();
            """,
            new { leases }
        );

    private static Task<int> EnqueueAsync(NpgsqlConnection connection, int innocent) =>
        connection.ExecuteAsync(
            """
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, args)
            SELECT q.project_id, new_id(), q.queue_id, now(), 1, 20, 'sleep', '{"seconds":0.2}'
            FROM queues q
            CROSS JOIN generate_series(1, @innocent)
            WHERE q.name = 'default'
            """,
            new { innocent }
        );

    private static Task<bool> IsOverAsync(NpgsqlConnection connection, Guid id) =>
        connection.QuerySingleAsync<bool>("SELECT EXISTS (SELECT FROM job_history WHERE id = @id)", new { id });

    private static Task<int> RunningAsync(NpgsqlConnection connection) =>
        connection.QuerySingleAsync<int>("SELECT count(*)::integer FROM jobs WHERE state = 2 AND kind = 'sleep'");

    private static async Task DrainAsync(NpgsqlConnection connection) =>
        await Eventually.BeTrueAsync(
            async () =>
            {
                await MakeDueAsync(connection, leases: false);
                return await connection.QuerySingleAsync<long>(
                        "SELECT count(*) FROM jobs WHERE kind IN ('sleep', 'shell')"
                    ) == 0;
            },
            "every job is over"
        );
}
