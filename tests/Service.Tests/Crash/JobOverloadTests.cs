using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>More is asked for than can be done: what is put off is claims, and never what keeps a job or ends it.</summary>
public sealed class JobOverloadTests(ServiceFixture service)
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Claims_that_would_wait_are_to_come_again_while_beats_and_ends_go_on()
    {
        await using var own = await OwnService.StartAsync(service);
        using var http = await ClientAsync(own);
        await MakeQueueAsync(http, "mail", new { });
        await MakeQueueAsync(http, "slow", new { rate = new { count = 100, seconds = 1 } });
        var worker = new TestWorker(http, "mail");
        var slow = new TestWorker(http, "slow");
        for (var number = 0; number < 10; number++)
        {
            await worker.EnqueueAsync();
            await slow.EnqueueAsync();
        }

        var held = await worker.ClaimAsync(max: 5);
        await using var owner = NpgsqlDataSource.Create(own.OwnerConnectionString);
        await using var blocker = await owner.OpenConnectionAsync(Token);
        await using var block = await blocker.BeginTransactionAsync(Token);
        await using (
            var command = new NpgsqlCommand("LOCK TABLE bellhop.queue_rates IN ACCESS EXCLUSIVE MODE", blocker)
        )
        {
            await command.ExecuteNonQueryAsync(Token);
        }

        // as many as are let in at a time, each with a worker of its own
        var stuck = Enumerable.Range(0, 4).Select(_ => new TestWorker(http, "slow").AskAsync(max: 1)).ToArray();
        await Eventually.BeTrueAsync(() => WaitForLocksAsync(owner, 4), "they wait for the lock");

        var crowd = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => AskAsync(http, "mail", Guid.NewGuid())));
        var beats = await worker
            .BeatAsync([.. held.Select(job => new { id = job.GetProperty("id"), lease = job.GetProperty("lease") })])
            .WaitAsync(Soon, Token);
        var ends = await worker
            .FinishAsync([.. held.Select(job => TestWorker.End(job, "succeeded"))])
            .WaitAsync(Soon, Token);
        Assert.All(stuck, claim => Assert.False(claim.IsCompleted));
        await block.RollbackAsync(Token);

        Assert.All(
            crowd,
            answer =>
            {
                Assert.Equal((HttpStatusCode.ServiceUnavailable, "busy"), (answer.Status, answer.Code));
                Assert.InRange(answer.RetryAfter, 1, 5);
            }
        );
        Assert.All(beats, beat => Assert.Equal("ok", beat.GetProperty("status").GetString()));
        Assert.All(ends, end => Assert.Equal("accepted", end));
        Assert.All(await Task.WhenAll(stuck), claim => Assert.Equal(HttpStatusCode.OK, claim.Status));
        Assert.Equal(5, (await worker.ClaimAsync()).Length);
    }

    [Fact]
    public async Task Workers_beat_and_finish_while_requests_have_all_sessions()
    {
        await using var own = await OwnService.StartAsync(service);
        using var http = await ClientAsync(own);
        await MakeQueueAsync(http, "mail", new { });
        var worker = new TestWorker(http, "mail");
        await worker.EnqueueAsync();
        await worker.EnqueueAsync();
        var jobs = await worker.ClaimAsync();
        // one that this process has not seen: it comes from another instance
        var stranger = new TestWorker(http, "mail");
        var taken = new List<NpgsqlConnection>();
        for (var number = 0; number < 20; number++)
        {
            taken.Add(await own.Database.OpenConnectionAsync(Token));
        }

        var beat = Assert.Single(
            await worker
                .BeatAsync(new { id = jobs[0].GetProperty("id"), lease = jobs[0].GetProperty("lease") })
                .WaitAsync(Soon, Token)
        );
        var strange = Assert.Single(
            await stranger
                .BeatAsync(new { id = jobs[1].GetProperty("id"), lease = jobs[1].GetProperty("lease") })
                .WaitAsync(Soon, Token)
        );
        var ends = await worker
            .FinishAsync([.. jobs.Select(job => TestWorker.End(job, "succeeded"))])
            .WaitAsync(Soon, Token);
        foreach (var connection in taken)
        {
            await connection.DisposeAsync();
        }

        Assert.Equal("ok", beat.GetProperty("status").GetString());
        Assert.Equal("lost", strange.GetProperty("status").GetString());
        Assert.Equal(["accepted", "accepted"], ends);
    }

    [Fact]
    [Trait("Category", "nightly")]
    public async Task A_minute_of_more_claims_than_can_be_answered_costs_no_beat_no_end_and_no_lease()
    {
        await using var own = await OwnService.StartAsync(service);
        using var http = await ClientAsync(own);
        await MakeQueueAsync(http, "mail", new { lease_seconds = 10 });
        await MakeQueueAsync(http, "empty", new { });
        using var minute = CancellationTokenSource.CreateLinkedTokenSource(Token);
        minute.CancelAfter(TimeSpan.FromSeconds(60));
        var latencies = new ConcurrentQueue<double>();
        var (putOff, answered, finished) = (0, 0, 0);

        await Task.WhenAll([
            .. Enumerable.Range(0, 400).Select(_ => Task.Run(PushAsync, Token)),
            .. Enumerable.Range(0, 20).Select(_ => Task.Run(WorkAsync, Token)),
        ]);

        var p99 = latencies.Order().ElementAt((int)(latencies.Count * 0.99));
        TestContext.Current.SendDiagnosticMessage(
            $"{putOff} claims were put off and {answered} answered; {finished} jobs ended; of {latencies.Count} beats and ends 99 % took less than {p99:0} ms"
        );
        Assert.True(putOff > 0 && finished > 100, $"{putOff} claims were put off, {finished} jobs ended");
        Assert.InRange(p99, 0, 500);
        var lost = await TestJobs.QueryAsync<long>(
            own.Database,
            "SELECT count(*) FROM job_attempts WHERE project_id = @ProjectId AND outcome = 'lost'",
            new { own.ProjectId }
        );
        Assert.Equal(0, lost);

        // claims again at once, whatever it is told
        async Task PushAsync()
        {
            var id = Guid.NewGuid();
            while (!minute.IsCancellationRequested)
            {
                var answer = await AskAsync(http, "empty", id);
                Assert.True(answer.Status == HttpStatusCode.OK || answer.Code == "busy", $"{answer}");
                Interlocked.Increment(ref answer.Code is null ? ref answered : ref putOff);
            }
        }

        // holds jobs for two seconds each, longer than a beat
        async Task WorkAsync()
        {
            var worker = new TestWorker(http, "mail");
            while (!minute.IsCancellationRequested)
            {
                await worker.EnqueueAsync();
                var (status, body) = await worker.AskAsync();
                if (status != HttpStatusCode.OK)
                {
                    continue;
                }

                var jobs = body.GetProperty("jobs").EnumerateArray().ToArray();
                if (jobs.Length == 0)
                {
                    continue; // others took it
                }

                for (var beat = 0; beat < 4; beat++)
                {
                    var held = jobs.Select(job => new { id = job.GetProperty("id"), lease = job.GetProperty("lease") });
                    var beats = await MeasureAsync(worker.BeatAsync([.. held]));
                    Assert.All(beats, one => Assert.Equal("ok", one.GetProperty("status").GetString()));
                    await Task.Delay(500, Token);
                }

                var ends = await MeasureAsync(
                    worker.FinishAsync([.. jobs.Select(job => TestWorker.End(job, "succeeded"))])
                );
                Assert.All(ends, end => Assert.Equal("accepted", end));
                Interlocked.Add(ref finished, ends.Length);
            }
        }

        async Task<T> MeasureAsync<T>(Task<T> call)
        {
            var watch = Stopwatch.StartNew();
            var answer = await call;
            latencies.Enqueue(watch.Elapsed.TotalMilliseconds);
            return answer;
        }
    }

    private static async Task MakeQueueAsync(HttpClient http, string name, object document)
    {
        using var made = await http.PutAsJsonAsync($"/v1/queues/{name}", document, Token);
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
    }

    private static async Task<HttpClient> ClientAsync(OwnService own)
    {
        var http = new HttpClient { BaseAddress = own.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await own.NewKeyAsync());
        return http;
    }

    private static async Task<bool> WaitForLocksAsync(NpgsqlDataSource owner, int count) =>
        await TestJobs.QueryAsync<long>(
            owner,
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'bellhop workers' AND wait_event_type = 'Lock'
            """,
            new { }
        ) == count;

    private static async Task<Told> AskAsync(HttpClient http, string queue, Guid id)
    {
        using var response = await http.PostAsJsonAsync(
            "/v1/jobs/claim",
            new
            {
                worker = new { id, name = "test" },
                claim_key = Guid.NewGuid(),
                queues = new[] { new { name = queue } },
            },
            Token
        );
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(Token);
        return new Told(
            response.StatusCode,
            body.TryGetProperty("code", out var code) ? code.GetString() : null,
            response.Headers.RetryAfter?.Delta?.TotalSeconds ?? 0
        );
    }

    private sealed record Told(HttpStatusCode Status, string? Code, double RetryAfter);
}
