using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>Workers whose connection is cut while they claim or wait: nothing is lost, nothing doubled, and no attempt is used.</summary>
public sealed class JobCutTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private readonly int _seed = JobLedger.NewSeed();

    [Fact]
    public Task A_claim_that_is_cut_off_costs_no_attempt() => CutAsync(rounds: 20);

    [Fact]
    [Trait("Category", "nightly")]
    public Task A_thousand_claims_that_are_cut_off_cost_no_attempt() => CutAsync(rounds: 1_000);

    [Fact]
    public Task Who_waits_is_answered_when_the_time_is_over_and_at_once_when_a_job_comes() =>
        WaitAsync(seconds: 2, rounds: 15);

    [Fact]
    public async Task Who_waits_at_one_process_is_answered_at_once_when_a_job_comes_to_another()
    {
        const int Rounds = 10;
        await using var one = await OwnService.StartAsync(service);
        await using var two = await OwnService.StartAsync(service, beside: one);
        var key = new AuthenticationHeaderValue("Bearer", await one.NewKeyAsync());
        using var here = new HttpClient { BaseAddress = one.Address, DefaultRequestHeaders = { Authorization = key } };
        using var there = new HttpClient { BaseAddress = two.Address, DefaultRequestHeaders = { Authorization = key } };
        using var made = await here.PutAsJsonAsync("/v1/queues/mail", new { }, Token);
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var (worker, enqueuer) = (new TestWorker(there, "mail"), new TestWorker(here, "mail"));
        var late = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            var waiting = worker.ClaimAsync(wait: 30);
            Assert.Empty(await new TestWorker(there, "mail").ClaimAsync()); // the one above is on its way
            await enqueuer.EnqueueAsync();
            var asked = Stopwatch.GetTimestamp();
            Assert.Single(await waiting);
            late.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
        }

        late.Sort();
        Assert.InRange(late[Rounds / 2], 0, 100); // who looked once a second would take half of one
    }

    [Fact]
    [Trait("Category", "nightly")]
    public Task Who_waits_half_a_minute_is_answered_when_it_is_over() => WaitAsync(seconds: 30, rounds: 200);

    private async Task CutAsync(int rounds)
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var random = new Random(_seed);
        for (var round = 0; round < rounds; round++)
        {
            var id = await worker.EnqueueAsync();
            var key = Guid.NewGuid();
            var isCut = false;
            using (var cut = CancellationTokenSource.CreateLinkedTokenSource(Token))
            {
                cut.CancelAfter(TimeSpan.FromMilliseconds(random.NextDouble() * 6));
                var claim = new
                {
                    worker = new { id = worker.Id, name = "test" },
                    claim_key = key,
                    queues = new[] { new { name = "mail" } },
                };
                try
                {
                    using var answer = await project.Http.PostAsJsonAsync("/v1/jobs/claim", claim, cut.Token);
                }
                catch (OperationCanceledException) when (!Token.IsCancellationRequested)
                {
                    isCut = true;
                }
            }

            // the one asks again with its key; the other was never told, or another one comes
            var isAgain = !isCut || random.Next(2) == 0;
            var jobs = isAgain ? await worker.ClaimAsync(key: key) : [];
            var asked = Stopwatch.GetTimestamp();
            if (jobs.Length == 0)
            {
                var other = new TestWorker(project.Http, "mail");
                jobs = await other.ClaimAsync(wait: 2);
                if (jobs.Length == 0)
                {
                    jobs = await worker.ClaimAsync(key: key); // it had been told, and hung up after that
                }
            }

            var job = Assert.Single(jobs);
            Assert.True(id == job.GetProperty("id").GetGuid(), $"seed {_seed}, round {round}");
            Assert.True(
                job.GetProperty("attempt").GetInt32() == 1,
                $"seed {_seed}, round {round}: an attempt was used"
            );
            Assert.InRange(Stopwatch.GetElapsedTime(asked).TotalSeconds, 0, 4);
            var end = Assert.Single(await worker.FinishAsync(TestWorker.End(job, "succeeded")));
            Assert.Equal("accepted", end);
        }

        Assert.Equal(
            (rounds, 0),
            await TestJobs.QueryAsync<(int, int)>(
                service.Database,
                """
                SELECT (SELECT count(*) FROM job_history WHERE project_id = @Id AND outcome = 0 AND attempt = 1)::integer,
                    (SELECT count(*) FROM jobs WHERE project_id = @Id)::integer
                """,
                new { project.Id }
            )
        );
    }

    private async Task WaitAsync(int seconds, int rounds)
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var began = Stopwatch.GetTimestamp();
        Assert.Empty(await worker.ClaimAsync(wait: seconds));
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, seconds - 0.02, seconds + 0.5); // timers count in ticks

        var late = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            var waiting = worker.ClaimAsync(wait: 30);
            Assert.Empty(await new TestWorker(project.Http, "mail").ClaimAsync()); // the one above is on its way
            await worker.EnqueueAsync();
            var asked = Stopwatch.GetTimestamp();
            var job = Assert.Single(await waiting);
            late.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
            Assert.Equal(["accepted"], await worker.FinishAsync(TestWorker.End(job, "succeeded")));
        }

        late.Sort();
        TestContext.Current.SendDiagnosticMessage(
            $"half within {late[rounds / 2]:0.0} ms, 99 % within {late[rounds * 99 / 100]:0.0} ms"
        );
        // who looked once a second would take half of one
        Assert.InRange(late[rounds * 9 / 10], 0, 100);
    }
}
