using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>What becomes of jobs whose remote worker falls silent, and of what it says when it comes back.</summary>
public sealed class JobWorkerDeathTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private readonly int _seed = JobLedger.NewSeed();

    [Fact]
    public async Task All_jobs_of_a_worker_that_dies_run_elsewhere_and_none_fails()
    {
        var (project, worker) = await StartAsync(50);
        var leases = await worker.ClaimAsync(50);
        Assert.Equal(50, leases.Length);
        var before = JobMetrics.LeasesExpired.Value;
        await LoseAsync(project);

        var other = new TestWorker(project.Http, "work");
        var again = await ClaimAllAsync(other, 50);

        Assert.Equal(leases.Select(Id).Order(), again.Select(Id).Order());
        Assert.All(
            again,
            job => Assert.Equal((2, 1), (job.GetProperty("attempt").GetInt32(), job.GetProperty("lost").GetInt32()))
        );
        Assert.True(JobMetrics.LeasesExpired.Value >= before + 50);
        Assert.All(
            await other.FinishAsync([.. again.Select(job => TestWorker.End(job, "succeeded"))]),
            status => Assert.Equal("accepted", status)
        );
    }

    [Fact]
    public async Task A_worker_that_comes_back_late_ends_no_job_of_its_successor()
    {
        var (project, worker) = await StartAsync(100);
        var leases = await worker.ClaimAsync(100);
        await LoseAsync(project);
        var other = new TestWorker(project.Http, "work");
        var again = await ClaimAllAsync(other, 100);

        var late = await worker.FinishAsync(Ends(leases, "failed"));
        var beats = await worker.BeatAsync([
            .. leases.Select(job => new { id = Id(job), lease = job.GetProperty("lease") }),
        ]);
        var ends = await other.FinishAsync(Ends(again, "succeeded"));

        Assert.Equal(Enumerable.Repeat("lease_lost", 100), late);
        Assert.Equal(Enumerable.Repeat("lost", 100), beats.Select(beat => beat.GetProperty("status").GetString()));
        Assert.Equal(Enumerable.Repeat("accepted", 100), ends);
        Assert.Equal(
            (100, 100),
            await TestJobs.QueryAsync<(int, int)>(
                service.Database,
                """
                SELECT count(*)::integer, count(*) FILTER (WHERE outcome = 0 AND claim_no = 2 AND attempt = 2)::integer
                FROM job_history
                WHERE project_id = @Id
                """,
                new { project.Id }
            )
        );
    }

    [Fact]
    public Task Lanes_are_never_passed_and_all_drain_however_workers_die() => LanesAsync(lanes: 20, perLane: 12);

    [Fact]
    [Trait("Category", "nightly")]
    public Task A_thousand_lanes_are_never_passed_and_all_drain() => LanesAsync(lanes: 1000, perLane: 50);

    [Fact]
    public Task Ordered_lanes_keep_their_order_through_failures_and_deaths() => OrderAsync(lanes: 10, perLane: 12);

    [Fact]
    [Trait("Category", "nightly")]
    public Task Two_hundred_ordered_lanes_keep_their_order() => OrderAsync(lanes: 200, perLane: 200);

    [Fact]
    public Task An_end_that_races_with_a_rescue_a_cancel_and_another_end_is_one_end() => RaceAsync(rounds: 15);

    [Fact]
    [Trait("Category", "nightly")]
    public Task Ten_thousand_races_have_one_end_each() => RaceAsync(rounds: 1000);

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"max_running":5}""")]
    [InlineData("""{"rate":{"count":1000,"seconds":1,"burst":1000}}""")]
    public async Task Jobs_that_were_lost_twice_are_tried_one_by_one_and_none_for_ever(string limits)
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "work", JsonElement.Parse(limits));
        await EnqueueAsync(project, [.. Enumerable.Repeat((string?)null, 3)]);
        for (var death = 1; death <= 2; death++)
        {
            Assert.Equal(3, (await ClaimAllAsync(new TestWorker(project.Http, "work"), 3)).Length);
            await LoseAsync(project);
        }

        var ended = new List<Guid>();
        while (ended.Count < 3)
        {
            var job = Assert.Single(await ClaimAllAsync(worker, 1));
            Assert.Equal(2, job.GetProperty("lost").GetInt32());
            Assert.Empty(await worker.ClaimAsync());
            await worker.FinishAsync(TestWorker.End(job, "succeeded"));
            ended.Add(Id(job));
        }

        Assert.Equal(3, ended.Distinct().Count());
    }

    [Fact]
    public Task What_a_batch_is_for_runs_once_however_its_workers_die() => BatchAsync(members: 150);

    [Fact]
    [Trait("Category", "nightly")]
    public Task What_ten_thousand_jobs_are_for_runs_once() => BatchAsync(members: 10_000);

    private async Task BatchAsync(int members)
    {
        var (project, worker) = await StartAsync(0);
        var callback = await worker.EnqueueAsync(new { held = true, max_attempts = 1000 });
        var ids = await EnqueueAsync(project, new string?[members], callback);
        var (freed, body) = await worker.PostAsync($"/v1/jobs/{callback}/free", new { });
        Assert.True(freed == HttpStatusCode.OK, body.ToString());
        var workers = new MortalWorkers(project, "work", _seed, failures: 10, deaths: 10);

        await workers.WorkAsync(workers: 6, members + 1, Patience(members));

        await CheckAsync(project, [.. ids, callback]);
        Assert.Equal(callback, workers.Done.Last());
        Assert.True(workers.Deaths > 0, $"seed {_seed}: nobody died");
    }

    private static Guid Id(JsonElement job) => job.GetProperty("id").GetGuid();

    private static object[] Ends(IEnumerable<JsonElement> jobs, string outcome) =>
        [
            .. jobs.Select(job =>
                TestWorker.End(job, outcome, error: outcome == "failed" ? new { code = "late" } : null)
            ),
        ];

    private async Task LanesAsync(int lanes, int perLane)
    {
        var project = await service.NewProjectAsync();
        await TestWorker.ForAsync(project, "work", new { lane_limit = 2 });
        var random = new Random(_seed);
        var wanted = Enumerable.Range(0, lanes * perLane).Select(number => (string?)$"lane-{number % lanes}").ToArray();
        random.Shuffle(wanted);
        var ids = await EnqueueAsync(project, wanted);
        var workers = new MortalWorkers(project, "work", _seed, failures: 5, deaths: 10);

        await workers.WorkAsync(workers: 6, ids.Length, Patience(ids.Length));

        await CheckAsync(project, ids);
        Assert.True(workers.Deaths > 0, $"seed {_seed}: nobody died");
    }

    private async Task OrderAsync(int lanes, int perLane)
    {
        var project = await service.NewProjectAsync();
        await TestWorker.ForAsync(project, "work", new { lane_ordered = true });
        var wanted = Enumerable.Range(0, lanes * perLane).Select(number => (string?)$"lane-{number % lanes}").ToArray();
        var ids = await EnqueueAsync(project, wanted);
        var workers = new MortalWorkers(project, "work", _seed, failures: 10, deaths: 5);

        await workers.WorkAsync(workers: 4, ids.Length, Patience(ids.Length));

        await CheckAsync(project, ids);
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        var claimed = (
            await connection.QueryAsync<(Guid Id, string Lane)>(
                "SELECT id, lane FROM job_history WHERE project_id = @Id ORDER BY claimed_at".With(
                    new { project.Id },
                    Token
                )
            )
        ).ToLookup(job => job.Lane, job => job.Id);
        foreach (var lane in ids.Zip(wanted).ToLookup(job => job.Second!, job => job.First))
        {
            Assert.True(lane.SequenceEqual(claimed[lane.Key]), $"seed {_seed}: {lane.Key} is out of order");
        }
    }

    /// <summary>Of jobs whose lease has just run out, both ends, a rescue and a cancel are asked for in one moment.</summary>
    private async Task RaceAsync(int rounds)
    {
        const int Jobs = 10;
        var (project, worker) = await StartAsync(0);
        var random = new Random(_seed);
        for (var round = 0; round < rounds; round++)
        {
            await EnqueueAsync(project, [.. Enumerable.Repeat((string?)null, Jobs)]);
            var leases = await ClaimAllAsync(worker, Jobs);
            await TestWorker.ExpireAsync(project);
            var (good, bad) = (new string[Jobs], new string[Jobs]);
            Func<Task>[] racers =
            [
                async () => good = await worker.FinishAsync(Ends(leases, "succeeded")),
                async () =>
                    bad = await worker.FinishAsync([
                        .. leases.Select(job =>
                            TestWorker.End(job, "failed", error: new { code = "no_use", retryable = false })
                        ),
                    ]),
                () => service.SendAsync(project.Id, new RescueJobs.Command()),
                () =>
                    Task.WhenAll(
                        leases
                            .Take(Jobs / 2)
                            .Select(job => worker.PostAsync($"/v1/jobs/{Id(job)}/cancel", new { force = true }))
                    ),
            ];
            random.Shuffle(racers);
            await Task.WhenAll(racers.Select(racer => Task.Run(racer, Token)));

            var ended = await OutcomesAsync(project, [.. leases.Select(Id)]);
            for (var index = 0; index < Jobs; index++)
            {
                // what was accepted is what is on record; what was refused is not
                short[] told =
                [
                    .. good[index] == "accepted" ? [(short)0] : (short[])[],
                    .. bad[index] == "accepted" ? [(short)1] : (short[])[],
                ];
                var stored = ended[Id(leases[index])].ToArray();
                Assert.True(
                    stored.Length <= 1 && told.Length <= 1 && (told.Length == 0 || told.SequenceEqual(stored)),
                    $"seed {_seed}, round {round}: told {good[index]}, {bad[index]}; stored {string.Join(',', stored)}"
                );
                Assert.True(told.Length == 1 || !stored.Any(outcome => outcome < 2), $"seed {_seed}, round {round}");
            }

            // those that were rescued go on
            await TestJobs.ExecuteAsync(
                service.Database,
                "UPDATE jobs SET run_at = now() WHERE project_id = @Id AND state = 1",
                new { project.Id }
            );
            var open = Jobs - ended.Sum(job => job.Count());
            if (open > 0)
            {
                var rescued = await ClaimAllAsync(worker, open);
                Assert.All(
                    await worker.FinishAsync(Ends(rescued, "succeeded")),
                    status => Assert.Equal("accepted", status)
                );
            }
        }

        Assert.Equal(
            (rounds * Jobs, rounds * Jobs, 0),
            await TestJobs.QueryAsync<(int, int, int)>(
                service.Database,
                """
                SELECT (SELECT count(*) FROM job_history WHERE project_id = @Id)::integer,
                    (SELECT count(DISTINCT id) FROM job_history WHERE project_id = @Id)::integer,
                    (SELECT count(*) FROM jobs WHERE project_id = @Id)::integer
                """,
                new { project.Id }
            )
        );
    }

    private async Task<ILookup<Guid, short>> OutcomesAsync(TestProject project, Guid[] ids)
    {
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        return (
            await connection.QueryAsync<(Guid Id, short Outcome)>(
                "SELECT id, outcome FROM job_history WHERE project_id = @ProjectId AND id = ANY (@Ids)".With(
                    new { ProjectId = project.Id, Ids = ids },
                    Token
                )
            )
        ).ToLookup(job => job.Id, job => job.Outcome);
    }

    private async Task CheckAsync(TestProject project, Guid[] ids)
    {
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        var ended = (
            await connection.QueryAsync<(Guid Id, short Outcome)>(
                "SELECT id, outcome FROM job_history WHERE project_id = @Id".With(new { project.Id }, Token)
            )
        ).ToArray();
        Assert.Equal(ids.Order(), ended.Select(job => job.Id).Order()); // none missing, none twice
        Assert.All(ended, job => Assert.Equal(0, job.Outcome));
        await JobSpans.CheckAsync(connection, _seed, project.Id);
    }

    private static TimeSpan Patience(int jobs) => TimeSpan.FromSeconds(30 + (jobs / 20));

    private async Task<(TestProject, TestWorker)> StartAsync(int jobs)
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "work");
        if (jobs > 0)
        {
            await EnqueueAsync(project, [.. Enumerable.Repeat((string?)null, jobs)]);
        }

        return (project, worker);
    }

    /// <summary>Jobs that fail are tried again, however often they do.</summary>
    private static async Task<Guid[]> EnqueueAsync(TestProject project, string?[] lanes, Guid? before = null)
    {
        var ids = new List<Guid>();
        foreach (var part in lanes.Chunk(1_000))
        {
            var jobs = part.Select(lane => new
            {
                kind = "letter",
                queue = "work",
                lane,
                max_attempts = 1000,
                blocks = before is { } callback ? new[] { callback } : null,
            });
            using var answer = await project.Http.PostAsJsonAsync("/v1/jobs/bulk", new { jobs }, Token);
            var body = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
            Assert.True(answer.IsSuccessStatusCode, body.ToString());
            var results = body.GetProperty("results").EnumerateArray().ToArray();
            ids.AddRange(results.Select(result => result.GetProperty("id").GetGuid()));
        }

        Assert.Equal(lanes.Length, ids.Count);
        return [.. ids];
    }

    /// <summary>Whoever has jobs of the project falls silent, and the pause after that is over.</summary>
    private async Task LoseAsync(TestProject project)
    {
        await TestWorker.ExpireAsync(project);
        await Eventually.BeTrueAsync(
            async () =>
            {
                await service.SendAsync(project.Id, new RescueJobs.Command());
                return await TestJobs.QueryAsync<long>(
                        service.Database,
                        "SELECT count(*) FROM jobs WHERE project_id = @Id AND state = 2",
                        new { project.Id }
                    ) == 0;
            },
            "they are rescued"
        );
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET run_at = now() WHERE project_id = @Id AND state = 1",
            new { project.Id }
        );
    }

    private static async Task<JsonElement[]> ClaimAllAsync(TestWorker worker, int count)
    {
        var jobs = new List<JsonElement>();
        await Eventually.BeTrueAsync(
            async () =>
            {
                jobs.AddRange(await worker.ClaimAsync(count - jobs.Count));
                return jobs.Count == count;
            },
            $"{count} jobs are claimed"
        );
        return [.. jobs];
    }
}
