using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>
/// Two replicas behind a pooler that lends a session for a transaction: nothing prepared, nothing set, and nobody hears a NOTIFY.
/// </summary>
public sealed class JobPoolerTests(ServiceFixture service)
{
    private const int Sessions = 12; // fewer than a process would open

    private readonly int _seed = JobLedger.NewSeed();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Category", "nightly")]
    public async Task Behind_a_pooler_of_transactions_no_job_is_lost_and_no_limit_passed()
    {
        const int Jobs = 2_000;
        const int Letters = 400;
        PgBouncerServer? pooler = null;
        try
        {
            await using var one = await OwnService.StartAsync(service, route: RouteAsync);
            await using var two = await OwnService.StartAsync(service, beside: one, route: RouteAsync);
            var key = await one.NewKeyAsync();
            await using var database = NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(one.OwnerConnectionString) { Options = "-c search_path=bellhop" }
            );
            var path = Path.Combine(Path.GetTempPath(), $"bellhop-ledger-{Guid.NewGuid():N}");
            using var ledger = new Ledger(path);
            var books = new JobLedger(() => NewClient(one, key), database, ledger, _seed);
            await books.PrepareAsync();
            using var http = NewClient(two, key);
            using var made = await http.PutAsJsonAsync(
                "/v1/queues/mail",
                new { lane_limit = 2, retry = new { initial_seconds = 0, jitter = 0 } },
                Token
            );
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);

            await Task.WhenAll(
                books.EnqueueAsync(Jobs, clients: 8),
                EnqueueLettersAsync(http, Letters),
                WorkAsync(http, database, Letters),
                CancelAsync(one, http)
            );

            await books.CheckAsync(Jobs, faults: 0, inFlight: 0, TimeSpan.FromMinutes(2));
            File.Delete(path);
        }
        finally
        {
            if (pooler is not null)
            {
                await pooler.DisposeAsync();
            }
        }

        async Task<string> RouteAsync(string owner) =>
            (pooler ??= await PgBouncerServer.StartAsync(owner, Sessions)).ConnectionString;
    }

    /// <summary>A job that runs in one process is canceled through the other, which cannot tell it: it learns so when it beats.</summary>
    private static async Task CancelAsync(OwnService one, HttpClient other)
    {
        var begun = new TaskCompletionSource();
        var job = TestJobs.New(
            one.ProjectId,
            async (_, token) =>
            {
                begun.TrySetResult();
                await Task.Delay(Timeout.Infinite, token);
                return new JobOutcome.Succeeded(null);
            }
        );
        await TestJobs.EnqueueAsync(one.Database, one.Services, job);
        await begun.Task.WaitAsync(Eventually.Patience, Token);
        (await other.PostAsync($"/v1/jobs/{job.Id}/cancel", "{}")).Expect(HttpStatusCode.Accepted);
        await Eventually.FitAsync(
            () => other.GetFromJsonAsync<JsonElement>($"/v1/jobs/{job.Id}", Token),
            job => job.State() == "canceled"
        );
    }

    private static async Task EnqueueLettersAsync(HttpClient http, int count)
    {
        for (var number = 0; number < count; number++)
        {
            var letter = new
            {
                queue = "mail",
                kind = "letter",
                lane = $"customer-{number % 7}",
                unique = new { key = $"letter-{number}", until = "finish" },
            };
            var (status, body) = await TestWorker.PostAsync(http, "/v1/jobs", letter);
            Assert.True(status == HttpStatusCode.Created, body.ToString());
        }
    }

    /// <summary>Remote workers, who wait for jobs; every tenth execution fails once.</summary>
    private static async Task WorkAsync(HttpClient http, NpgsqlDataSource database, int count)
    {
        var left = count;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => WorkAsync()));
        var (succeeded, attempts, keys) = await TestJobs.QueryAsync<(int, int, int)>(
            database,
            """
            SELECT (SELECT count(*)::integer FROM job_history WHERE kind = 'letter' AND outcome = 0),
                (SELECT sum(attempt)::integer FROM job_history WHERE kind = 'letter'),
                (SELECT count(*)::integer FROM job_keys WHERE key LIKE 'letter-%')
            """,
            new { }
        );
        Assert.Equal((count, 0), (succeeded, keys));
        Assert.True(attempts > count, "none was tried again");

        async Task WorkAsync()
        {
            var worker = new TestWorker(http, "mail");
            while (Volatile.Read(ref left) > 0)
            {
                foreach (var job in await worker.ClaimAsync(max: 5, wait: 1))
                {
                    var fails = job.GetProperty("attempt").GetInt32() == 1 && Random.Shared.Next(10) == 0;
                    var held = new { id = job.GetProperty("id"), lease = job.GetProperty("lease") };
                    Assert.Equal("ok", Assert.Single(await worker.BeatAsync(held)).GetProperty("status").GetString());
                    var end = TestWorker.End(job, fails ? "failed" : "succeeded");
                    Assert.Equal(["accepted"], await worker.FinishAsync(end));
                    Interlocked.Add(ref left, fails ? 0 : -1);
                }
            }
        }
    }

    private static HttpClient NewClient(OwnService own, string key)
    {
        var http = new HttpClient { BaseAddress = own.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return http;
    }
}
