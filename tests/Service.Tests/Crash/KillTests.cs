using System.Diagnostics;
using System.Net;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>What is left when processes end in the middle: nothing lost, nothing twice, nothing stuck.</summary>
public sealed class KillTests : IAsyncLifetime
{
    private readonly EmbeddedCluster _cluster = EmbeddedCluster.Start(Checkout.State, throwAway: true);
    private readonly string _state = Directory.CreateTempSubdirectory("bellhop-kill-").FullName;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        _cluster.Dispose();
        Directory.Delete(_state, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public Task Three_kills_lose_nothing_and_double_nothing() => KillAsync(kills: 3, events: 600);

    [Fact]
    [Trait("Category", "nightly")]
    public Task Twenty_kills_lose_nothing_and_double_nothing() => KillAsync(kills: 20, events: 5000);

    [Fact]
    public async Task A_database_that_restarts_costs_answers_but_no_events()
    {
        await using var service = new ServiceProcess(_state, _cluster.ConnectionString);
        await service.ServeAsync();
        await using var sink = await EffectSink.StartAsync();
        await using var database = NpgsqlDataSource.Create(_cluster.ConnectionString);
        using var ledger = new Ledger(Path.Combine(_state, "ledger"));
        var books = new MainJobLedger(service, database, sink, ledger, seed: 0);
        await books.PrepareAsync();

        var sending = books.SendAsync(400, clients: 4, TestContext.Current.CancellationToken);
        await Eventually.BeTrueAsync(() => Task.FromResult(ledger.Acknowledged.Count > 50), "some events were taken");
        await Task.Run(() => _cluster.StopServer("immediate"), TestContext.Current.CancellationToken);
        var away = await AnswerAsync(service);
        _cluster.StartServer();
        var back = Stopwatch.StartNew();
        await service.BecomeReadyAsync();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, away.StatusCode);
        Assert.NotNull(away.Headers.RetryAfter);
        Assert.True(back.Elapsed < TimeSpan.FromSeconds(5), $"It took {back.Elapsed} to be ready again.");
        await sending;
        await books.CheckAsync(400, TimeSpan.FromSeconds(90));
        Assert.False(service.HasExited);
    }

    [Fact]
    public async Task A_request_whose_commit_got_no_answer_is_replayed_when_it_is_repeated()
    {
        const string Job = """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""";
        await using var service = new ServiceProcess(_state, _cluster.ConnectionString);
        await service.ServeAsync();
        await using var database = NpgsqlDataSource.Create(_cluster.ConnectionString);
        await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        // the commit waits where nothing can keep it from happening any more but the end of the database
        await connection.ExecuteAsync(
            """
            CREATE FUNCTION bellhop.wait_for_test() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER wait_for_test AFTER INSERT ON bellhop.idempotency_keys
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bellhop.wait_for_test();
            SELECT pg_advisory_lock(4711);
            """
        );

        using var client = service.NewClient();
        var unanswered = client.PostAsync("/v1/jobs", Job, "order-1");
        await Eventually.BeTrueAsync(
            () =>
                connection.QuerySingleAsync<bool>(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted)"
                ),
            "the request is being committed"
        );
        await service.KillAsync();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => unanswered);
        await connection.ExecuteAsync(
            "SELECT pg_advisory_unlock(4711); DROP TRIGGER wait_for_test ON bellhop.idempotency_keys"
        );
        await service.ServeAsync();

        using var again = service.NewClient();
        var answer = await again.PostAsync("/v1/jobs", Job, "order-1");
        Assert.Equal((HttpStatusCode.Created, true), (answer.Status, answer.IsReplayed));
        Assert.Equal(
            answer.Id,
            await connection.QuerySingleAsync<Guid>("SELECT id FROM bellhop.jobs WHERE kind = 'noop'")
        );
    }

    [Fact]
    public async Task A_private_database_that_is_killed_is_started_again()
    {
        File.CreateSymbolicLink(Path.Combine(_state, "pgsql"), Path.Combine(Checkout.State, "pgsql"));
        await using var service = new ServiceProcess(_state, connectionString: "");
        await service.ServeAsync();
        var server = int.Parse(await FirstLineAsync(Path.Combine(_state, "db/data/postmaster.pid")), null);
        using (var process = Process.GetProcessById(server))
        {
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        using var client = service.NewClient();
        await Eventually.BeTrueAsync(
            async () =>
                (
                    await client.GetAsync("/v1/events?limit=1", TestContext.Current.CancellationToken)
                ).IsSuccessStatusCode,
            "the service has its database back",
            TimeSpan.FromSeconds(30)
        );

        Assert.Equal(0, await service.StopAsync());
    }

    [Fact]
    public async Task Of_two_instances_on_an_empty_database_one_migrates_and_both_become_ready()
    {
        await using var one = new ServiceProcess(_state, _cluster.ConnectionString);
        await using var other = new ServiceProcess(_state, _cluster.ConnectionString);
        one.Start("serve");
        other.Start("serve");
        await one.BecomeReadyAsync();
        await other.BecomeReadyAsync();

        await using var database = NpgsqlDataSource.Create(_cluster.ConnectionString);
        await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        Assert.Equal(
            Migrations.Names,
            await connection.QueryAsync<string>("SELECT scriptname FROM bellhop.schema_versions ORDER BY scriptname")
        );
        Assert.Equal(1, await connection.QuerySingleAsync<int>("SELECT count(*)::int FROM bellhop.projects"));
    }

    [Fact]
    public async Task A_start_completes_what_a_killed_migration_began()
    {
        await using var database = NpgsqlDataSource.Create(_cluster.ConnectionString);
        await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        for (var delay = 100; delay <= 900; delay += 200)
        {
            await using var killed = new ServiceProcess(_state, _cluster.ConnectionString);
            killed.Start("serve");
            await Task.Delay(delay, TestContext.Current.CancellationToken);
            await killed.KillAsync();
        }

        await using var service = new ServiceProcess(_state, _cluster.ConnectionString);
        await service.ServeAsync();

        Assert.Equal(
            Migrations.Names,
            await connection.QueryAsync<string>("SELECT scriptname FROM bellhop.schema_versions ORDER BY scriptname")
        );
    }

    private static async Task<string> FirstLineAsync(string file) =>
        (await File.ReadAllLinesAsync(file, TestContext.Current.CancellationToken))[0];

    private static async Task<HttpResponseMessage> AnswerAsync(ServiceProcess service)
    {
        using var client = service.NewClient();
        return await client.GetAsync("/v1/events?limit=1", TestContext.Current.CancellationToken);
    }

    private async Task KillAsync(int kills, int events)
    {
        var seed = Environment.GetEnvironmentVariable("BELLHOP_SEED") is { } given
            ? int.Parse(given, null)
            : Random.Shared.Next();
        TestContext.Current.SendDiagnosticMessage($"seed {seed}");
        var random = new Random(seed);
        await using var service = new ServiceProcess(_state, _cluster.ConnectionString);
        await service.ServeAsync();
        await using var sink = await EffectSink.StartAsync();
        await using var database = NpgsqlDataSource.Create(_cluster.ConnectionString);
        using var ledger = new Ledger(Path.Combine(_state, "ledger"));
        var books = new MainJobLedger(service, database, sink, ledger, seed);
        await books.PrepareAsync();

        var sending = books.SendAsync(events, clients: 8, TestContext.Current.CancellationToken);
        for (var kill = 1; kill <= kills; kill++)
        {
            var reached = events * kill / (kills + 1);
            await Eventually.BeTrueAsync(
                () => Task.FromResult(ledger.Acknowledged.Count >= reached || sending.IsCompleted),
                "events are taken",
                TimeSpan.FromMinutes(2)
            );
            await Task.Delay(random.Next(0, 200), TestContext.Current.CancellationToken);
            await service.KillAsync();
            await service.ServeAsync();
        }

        await sending;
        await books.CheckAsync(events, TimeSpan.FromMinutes(3));
    }
}
