using System.Diagnostics;
using System.Net;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>What becomes of jobs when the database goes away, stands still, is full or refuses: the service itself goes on.</summary>
public sealed class JobOutageTests : IAsyncLifetime
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private readonly EmbeddedCluster _cluster = EmbeddedCluster.Start(Checkout.State, throwAway: true);
    private readonly string _state = Directory.CreateTempSubdirectory("bellhop-outage-").FullName;
    private readonly int _seed = JobLedger.NewSeed();
    private NpgsqlDataSource _database = null!;
    private ServiceProcess _service = null!;

    public async ValueTask InitializeAsync()
    {
        _database = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(_cluster.ConnectionString)
            {
                Options = "-c search_path=bellhop",
                ApplicationName = "the test",
                Pooling = false,
            }
        );
        _service = new ServiceProcess(_state, _cluster.ConnectionString);
        await _service.ServeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        await _database.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        _cluster.Dispose();
        Directory.Delete(_state, recursive: true);
    }

    [Theory]
    [InlineData("fast", 1, 200)]
    [InlineData("immediate", 1, 200)]
    public Task A_database_that_restarts_costs_answers_but_no_job(string mode, int times, int jobs) =>
        FailAsync(jobs, times, () => RestartAsync(mode));

    [Theory]
    [Trait("Category", "nightly")]
    [InlineData("fast", 5, 3000)]
    [InlineData("immediate", 5, 3000)]
    public Task A_database_that_restarts_again_and_again_costs_no_job(string mode, int times, int jobs) =>
        FailAsync(jobs, times, () => RestartAsync(mode));

    [Fact]
    public Task A_session_that_is_killed_brings_all_down_and_costs_no_job() => FailAsync(200, 1, KillSessionAsync);

    [Fact]
    public Task A_database_that_stands_still_costs_no_job() => FailAsync(200, 1, () => StandStillAsync(seconds: 3));

    [Fact]
    [Trait("Category", "nightly")]
    public async Task While_a_database_stands_still_every_request_is_answered_in_time()
    {
        var answers = new List<(string Call, HttpStatusCode? Status, TimeSpan Took)>();
        await FailAsync(
            500,
            1,
            async () =>
            {
                var still = StandStillAsync(seconds: 20);
                await Task.WhenAll(
                    AskAsync("list", client => client.CallAsync("GET", "/v1/jobs?limit=1")),
                    AskAsync(
                        "enqueue",
                        client => client.PostAsync("/v1/jobs", """{"queue":"default","kind":"noop"}""")
                    ),
                    AskAsync(
                        "bulk",
                        client =>
                            client.PostAsync(
                                "/v1/jobs/bulk",
                                """{"jobs":[{"queue":"default","kind":"noop"},{"queue":"default","kind":"noop"}]}"""
                            )
                    ),
                    AskAsync(
                        "bulk cancel",
                        client => client.PostAsync("/v1/jobs/bulk/cancel", """{"filter":{"lane":"nobody's"}}""")
                    ),
                    AskAsync("event", client => client.PostAsync("/v1/events", """{"type":"still","source":"tests"}"""))
                );
                await still;

                async Task AskAsync(string call, Func<HttpClient, Task<Answer>> ask)
                {
                    while (!still.IsCompleted)
                    {
                        using var client = _service.NewClient();
                        var watch = Stopwatch.StartNew();
                        HttpStatusCode? status = null;
                        try
                        {
                            status = (await ask(client)).Status;
                        }
                        catch (TaskCanceledException) when (!Token.IsCancellationRequested)
                        {
                            // it was not answered for as long as the client waits
                        }

                        lock (answers)
                        {
                            answers.Add((call, status, watch.Elapsed));
                        }
                    }
                }
            }
        );
        Assert.Contains(answers, answer => answer.Status == HttpStatusCode.ServiceUnavailable);
        Assert.True(
            answers.TrueForAll(answer => answer.Status is not null && answer.Took < TimeSpan.FromSeconds(12)),
            string.Join('\n', answers)
        );
    }

    [Fact]
    public Task A_database_without_a_free_session_costs_no_job() => FailAsync(200, 1, TakeAllSessionsAsync);

    [Fact]
    public Task Jobs_that_cannot_be_reached_for_a_while_are_not_lost() =>
        FailAsync(200, 1, () => LockAsync(seconds: 3));

    [Fact]
    [Trait("Category", "nightly")]
    public Task Jobs_that_cannot_be_reached_for_long_are_not_lost() => FailAsync(500, 1, () => LockAsync(seconds: 15));

    [Theory]
    [InlineData("40P01")]
    [InlineData("40001")]
    public Task Statements_that_lose_against_others_are_repeated(string state) =>
        FailAsync(200, 1, () => LoseAsync(state));

    [Fact]
    public async Task What_a_worker_says_is_said_again_where_it_loses_against_another_statement()
    {
        using var client = _service.NewClient();
        (await client.ChangeAsync("PUT", "/v1/queues/far", """{"served_by":"workers"}""")).Expect(
            HttpStatusCode.Created
        );
        (
            await client.PostAsync(
                "/v1/jobs/bulk",
                """{"jobs":[{"queue":"far","kind":"one"},{"queue":"far","kind":"two"}]}"""
            )
        ).Expect(HttpStatusCode.OK);
        var worker = new TestWorker(client, "far");
        var jobs = await worker.ClaimAsync();
        Assert.Equal(2, jobs.Length);
        await using var connection = await _database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            """
            CREATE SEQUENCE lost_update;
            CREATE SEQUENCE lost_delete;
            GRANT USAGE ON SEQUENCE lost_update, lost_delete TO bellhop_app;
            CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF nextval('bellhop.lost_' || lower(TG_OP)) <= 3 THEN
                    RAISE EXCEPTION 'lost against another' USING ERRCODE = '40P01';
                END IF;
                RETURN NULL;
            END $$;
            CREATE TRIGGER lose AFTER UPDATE OR DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION lose();
            """
        );

        var beats = await worker.BeatAsync([
            .. jobs.Select(job => new { id = job.GetProperty("id"), lease = job.GetProperty("lease") }),
        ]);
        var ends = await worker.FinishAsync([.. jobs.Select(job => TestWorker.End(job, "succeeded"))]);

        await connection.ExecuteAsync("DROP TRIGGER lose ON jobs");
        Assert.Equal(["ok", "ok"], beats.Select(beat => beat.GetProperty("status").GetString()));
        Assert.Equal(["accepted", "accepted"], ends);
    }

    [Fact]
    public async Task Of_two_hundred_running_jobs_a_restart_loses_none()
    {
        using var client = _service.NewClient();
        for (var queue = 0; queue < 10; queue++)
        {
            (await client.ChangeAsync("PUT", $"/v1/queues/q{queue}", """{"served_by":"service"}""")).Expect(
                HttpStatusCode.Created
            );
            var jobs = Enumerable.Repeat($$"""{"queue":"q{{queue}}","kind":"sleep","args":{"seconds":3} }""", 20);
            (await client.PostAsync("/v1/jobs/bulk", $$"""{"jobs":[{{string.Join(',', jobs)}}]}""")).Expect(
                HttpStatusCode.OK
            );
        }

        await Eventually.BeTrueAsync(() => HoldsAsync("SELECT count(*) = 200 FROM jobs WHERE state = 2"), "all run");
        await RestartAsync("immediate");
        await DrainAsync(patienceSeconds: 6);

        await using var connection = await _database.OpenConnectionAsync(Token);
        var (rows, ids, succeeded, reruns) = await connection.QuerySingleAsync<(int, int, int, int)>(
            """
            SELECT count(*)::integer, count(DISTINCT id)::integer, count(*) FILTER (WHERE outcome = 0)::integer,
                COALESCE(sum(attempt - 1), 0)::integer
            FROM job_history
            WHERE kind = 'sleep'
            """
        );
        Assert.Equal((200, 200, 200), (rows, ids, succeeded));
        Assert.InRange(reruns, 0, 200);
        Assert.False(_service.HasExited);
    }

    private async Task FailAsync(int jobs, int times, Func<Task> fault)
    {
        using var ledger = new Ledger(Path.Combine(_state, "ledger"));
        var books = new JobLedger(_service.NewClient, _database, ledger, _seed);
        await books.PrepareAsync();
        var enqueueing = books.EnqueueAsync(jobs, clients: 4);
        for (var time = 1; time <= times; time++)
        {
            var reached = jobs * time / (times + 1);
            await Eventually.BeTrueAsync(
                () => Task.FromResult(ledger.Acknowledged.Count >= reached || enqueueing.IsCompleted),
                "jobs are enqueued",
                TimeSpan.FromMinutes(2)
            );
            await fault();
        }

        await enqueueing;
        var orphans = await DrainAsync();
        TestContext.Current.SendDiagnosticMessage($"{ledger.Unknown} calls without an answer, {orphans} claims");
        await books.CheckAsync(jobs, faults: times, orphans, TimeSpan.FromMinutes(1));
        Assert.False(_service.HasExited, _service.Output);
    }

    /// <param name="patienceSeconds">No job takes so long.</param>
    /// <summary>Waits until every job is over; answers how many were claimed for nobody, whose leases ended sooner than in truth.</summary>
    /// <remarks>A claim whose answer was lost with its session has a lease that nobody knows of.</remarks>
    private async Task<int> DrainAsync(int patienceSeconds = 3)
    {
        var orphans = 0;
        await Eventually.BeTrueAsync(
            async () =>
            {
                await using var connection = await _database.OpenConnectionAsync(Token);
                orphans += await connection.ExecuteAsync(
                    """
                    UPDATE jobs SET lease_until = now() - interval '1 second'
                    WHERE state = 2 AND lease_until > now() AND claimed_at < now() - make_interval(secs => @patienceSeconds)
                    """,
                    new { patienceSeconds }
                );
                await connection.ExecuteAsync(
                    "UPDATE jobs SET run_at = now() WHERE state = 1 AND lost > 0 AND run_at > now()"
                );
                var (left, stale) = await connection.QuerySingleAsync<(long, long)>(
                    """
                    SELECT count(*), count(*) FILTER (WHERE state = 2 AND lease_until < now() - interval '6 seconds')
                    FROM jobs
                    WHERE kind = 'sleep'
                    """
                );
                Assert.True(stale == 0, $"seed {_seed}: {stale} jobs are held by nobody");
                return left == 0;
            },
            $"seed {_seed}: every job is over",
            TimeSpan.FromMinutes(2)
        );
        return orphans;
    }

    private async Task RestartAsync(string mode)
    {
        await Task.Run(() => _cluster.Restart(mode), Token);
        await BeBackAsync();
    }

    private async Task KillSessionAsync()
    {
        await using (var connection = await _database.OpenConnectionAsync(Token))
        {
            var session = await connection.QuerySingleAsync<int>(
                "SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'bellhop engine'"
            );
            using var process = Process.GetProcessById(session);
            process.Kill();
        }

        await BeBackAsync();
    }

    private async Task StandStillAsync(int seconds)
    {
        var server = (await File.ReadAllLinesAsync(Path.Combine(_cluster.Home, "data/postmaster.pid"), Token))[0];
        var sessions = await File.ReadAllTextAsync($"/proc/{server}/task/{server}/children", Token);
        string[] all = [server, .. sessions.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
        await SignalAsync("-STOP", all);
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(seconds), Token);
        }
        finally
        {
            await SignalAsync("-CONT", all);
        }

        await BeBackAsync();
    }

    private static async Task SignalAsync(string signal, string[] processes)
    {
        using var kill = Process.Start("kill", [signal, .. processes]);
        await kill.WaitForExitAsync(Token);
    }

    private async Task TakeAllSessionsAsync()
    {
        var taken = new List<NpgsqlConnection>();
        try
        {
            while (true)
            {
                var connection = _database.CreateConnection();
                taken.Add(connection);
                await connection.OpenAsync(Token);
            }
        }
        catch (PostgresException exception) when (exception.SqlState.StartsWith("53", StringComparison.Ordinal))
        {
            // whoever of the service has a session is thrown out, and finds no other
            await taken[0]
                .ExecuteAsync(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bellhop engine'"
                );
            await Task.Delay(TimeSpan.FromSeconds(1), Token);
        }

        foreach (var connection in taken)
        {
            await connection.DisposeAsync();
        }

        await BeBackAsync();
    }

    private async Task LockAsync(int seconds)
    {
        await using (var connection = await _database.OpenConnectionAsync(Token))
        {
            await using var transaction = await connection.BeginTransactionAsync(Token);
            await connection.ExecuteAsync("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE");
            await Task.Delay(TimeSpan.FromSeconds(seconds), Token);
        }

        await BeBackAsync();
    }

    private async Task LoseAsync(string state)
    {
        await using var connection = await _database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            $"""
            CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF random() < 0.2 THEN
                    RAISE EXCEPTION 'lost against another' USING ERRCODE = '{state}';
                END IF;
                RETURN NULL;
            END $$;
            CREATE TRIGGER lose BEFORE INSERT OR UPDATE OR DELETE ON jobs FOR EACH STATEMENT EXECUTE FUNCTION lose();
            """
        );
        await Task.Delay(TimeSpan.FromSeconds(2), Token);
        await connection.ExecuteAsync("DROP TRIGGER lose ON jobs");
    }

    /// <summary>Five seconds after the database is back, so is the service.</summary>
    private async Task BeBackAsync()
    {
        var watch = Stopwatch.StartNew();
        await Eventually.BeTrueAsync(() => HoldsAsync("SELECT true"), "the database takes sessions");
        watch.Restart();
        await _service.BecomeReadyAsync();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"It took {watch.Elapsed} to be ready again.");
    }

    private async Task<bool> HoldsAsync(string sql)
    {
        try
        {
            await using var connection = await _database.OpenConnectionAsync(Token);
            return await connection.QuerySingleAsync<bool>(sql);
        }
        catch (NpgsqlException)
        {
            return false; // it is not back yet
        }
    }
}
