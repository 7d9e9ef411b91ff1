using System.Collections.Concurrent;
using System.Net;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>
/// Enqueues jobs with a service that fails meanwhile, on queues with every kind of limit, then holds what was acknowledged against
/// what the database says became of it.
/// </summary>
internal sealed class JobLedger(Func<HttpClient> newClient, NpgsqlDataSource database, Ledger ledger, int seed)
{
    private const int Lanes = 5;

    /// <summary>The service's queues by their limits: jobs at once in the queue, and in each lane.</summary>
    private static readonly (string Name, string Limits)[] Queues =
    [
        ("plain", """{"served_by":"service"}"""),
        ("few", """{"served_by":"service","max_running":3}"""),
        ("lanes", """{"served_by":"service","lane_limit":2}"""),
        ("rows", """{"served_by":"service","lane_ordered":true}"""),
    ];

    // of each ordered lane the jobs in the order of their answers: one client enqueues into a lane, one job after the other
    private readonly ConcurrentDictionary<string, List<Guid>> _rows = new(StringComparer.Ordinal);

    public static int NewSeed()
    {
        var seed = Environment.GetEnvironmentVariable("BELLHOP_SEED") is { } given
            ? int.Parse(given, null)
            : Random.Shared.Next();
        TestContext.Current.SendDiagnosticMessage($"seed {seed}");
        return seed;
    }

    public async Task PrepareAsync()
    {
        using var client = newClient();
        foreach (var (name, limits) in Queues)
        {
            (await client.ChangeAsync("PUT", $"/v1/queues/{name}", limits)).Expect(HttpStatusCode.Created);
        }
    }

    /// <summary>Enqueues from several clients; each repeats a call until it is answered.</summary>
    public Task EnqueueAsync(int jobs, int clients, int maxMilliseconds = 20) =>
        Task.WhenAll(
            Enumerable
                .Range(0, clients)
                .Select(async client =>
                {
                    var random = new Random(seed + client);
                    using var http = newClient();
                    for (var number = client; number < jobs; number += clients)
                    {
                        await EnqueueOneAsync(http, client, number, random, maxMilliseconds);
                    }
                })
        );

    /// <summary>Ends the leases of what processes that are gone had running, as if their time had passed; answers how many.</summary>
    public async Task<int> ExpireAsync()
    {
        // what they had sent before they went is still being done
        await Eventually.BeTrueAsync(
            async () =>
                await QueryAsync<long>(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'bellhop%'"
                ) == 0,
            "the sessions of the dead process have ended"
        );
        return await QueryAsync<int>(
            """
            WITH expired AS (
                UPDATE jobs SET lease_until = now() - interval '1 second' WHERE state = 2 RETURNING id
            )
            SELECT count(*)::integer FROM expired
            """
        );
    }

    /// <summary>Waits until nothing is left to do, then compares the books.</summary>
    /// <param name="jobs">How many were enqueued.</param>
    /// <param name="faults">How many processes or sessions died: no job can have been lost more often.</param>
    /// <param name="inFlight">How many were running when they did: no more can have been lost.</param>
    public async Task CheckAsync(int jobs, int faults, int inFlight, TimeSpan patience)
    {
        await Eventually.BeTrueAsync(IsDrainedAsync, $"seed {seed}: every job is over", patience);
        await using var connection = await database.OpenConnectionAsync();
        var ended = (
            await connection.QueryAsync<EndedJob>(
                """
                SELECT h.id, h.outcome, h.attempt, h.lost, h.claimed_at, h.lane
                FROM job_history h
                WHERE h.kind = 'sleep'
                """
            )
        ).ToArray();

        Assert.True(
            jobs == ledger.Acknowledged.Count,
            $"seed {seed}: {ledger.Acknowledged.Count} of {jobs} were acknowledged"
        );
        // none is missing, none is there that nobody was told of, none ended twice
        Assert.Equal(ledger.Acknowledged.Values.Order(), ended.Select(job => job.Id).Order());
        Assert.All(ended, job => Assert.True(job.Outcome == 0, $"seed {seed}: {job}"));
        Assert.All(ended, job => Assert.True(job.Attempt == job.Lost + 1 && job.Lost <= faults, $"seed {seed}: {job}"));
        Assert.InRange(ended.Sum(job => job.Lost), 0, inFlight);
        Assert.Equal(0, await connection.QuerySingleAsync<long>("SELECT count(*) FROM job_keys WHERE until = 1"));
        await JobSpans.CheckAsync(connection, seed);
        CheckOrder(ended.ToDictionary(job => job.Id));
    }

    private void CheckOrder(Dictionary<Guid, EndedJob> ended)
    {
        foreach (var (lane, ids) in _rows)
        {
            var claimed = ids.Select(id => ended[id].ClaimedAt).ToArray();
            Assert.True(claimed.SequenceEqual(claimed.Order()), $"seed {seed}: {lane} was not worked on in its order");
        }
    }

    private async Task<bool> IsDrainedAsync() =>
        await QueryAsync<long>("SELECT count(*) FROM jobs WHERE kind = 'sleep'") == 0;

    private async Task<T> QueryAsync<T>(string sql)
    {
        await using var connection = await database.OpenConnectionAsync();
        return await connection.QuerySingleAsync<T>(sql);
    }

    private async Task EnqueueOneAsync(HttpClient http, int client, int number, Random random, int maxMilliseconds)
    {
        var queue = Queues[random.Next(Queues.Length)].Name;
        var lane =
            queue == "rows" ? $"row-{client}"
            : queue == "lanes" ? $"lane-{random.Next(Lanes)}"
            : null;
        var unique = random.Next(4) == 0 ? $$""","unique":{"key":"order-{{number}}","until":"finish"}""" : "";
        var json = $$"""
            {"queue":"{{queue}}","kind":"sleep","args":{"seconds":{{random.Next(maxMilliseconds)}}e-3},"priority":{{random.Next(
                1,
                5
            )}}{{(lane is null ? "" : $",\"lane\":\"{lane}\"")}}{{unique}}}
            """;
        var id = $"job-{number}";
        ledger.Intend(id);
        var answer = await PersistAsync(() => http.PostAsync("/v1/jobs", json, id), () => ledger.NoAnswer(id));
        Assert.True(answer.Status == HttpStatusCode.Created, $"seed {seed}: {(int)answer.Status} {answer.Text}");
        ledger.Acknowledge(id, answer.Id);
        if (queue == "rows")
        {
            _rows.GetOrAdd(lane!, _ => []).Add(answer.Id);
        }
    }

    /// <summary>Repeats a call while it is not answered, or answered that it is to be repeated.</summary>
    public static async Task<Answer> PersistAsync(Func<Task<Answer>> call, Action noAnswer)
    {
        while (true)
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            try
            {
                var answer = await call();
                // the second: the first of the same key is not answered yet
                if (answer.Status != HttpStatusCode.ServiceUnavailable && answer.Code != "idempotency_in_progress")
                {
                    return answer;
                }
            }
            catch (Exception exception)
                when (exception is HttpRequestException or IOException or TaskCanceledException
                    && !TestContext.Current.CancellationToken.IsCancellationRequested
                )
            {
                noAnswer();
            }

            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    private sealed record EndedJob(Guid Id, short Outcome, short Attempt, short Lost, DateTime ClaimedAt, string? Lane);
}
