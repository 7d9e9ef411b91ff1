using System.Net;
using System.Net.Http.Headers;
using Bellhop.Features.Jobs.Running;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>Limits that several processes keep together, and what goes on while a process is short of sessions.</summary>
public sealed class JobLimitTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private readonly int _seed = JobLedger.NewSeed();

    [Fact]
    public Task Three_processes_run_never_more_at_once_than_the_queue_may() => LimitAsync(jobs: 200);

    [Fact]
    [Trait("Category", "nightly")]
    public Task Ten_thousand_jobs_never_pass_the_limit() => LimitAsync(jobs: 10_000);

    [Fact]
    public async Task Two_jobs_on_trial_are_never_in_the_hands_of_one_process()
    {
        await using var own = await OwnService.StartAsync(service);
        using var http = await ClientAsync(own);
        for (var number = 1; number <= 4; number++)
        {
            // with a limit each queue has a claim of its own
            await http.ChangeAsync("PUT", $"/v1/queues/q{number}", """{"served_by":"service","max_running":5}""");
            await http.PostAsync($"/v1/queues/q{number}/pause", "{}");
            var job = $$"""{"queue":"q{{number}}","kind":"sleep","args":{"seconds":0.3} }""";
            (await http.PostAsync("/v1/jobs", job)).Expect(HttpStatusCode.Created);
        }

        await TestJobs.ExecuteAsync(
            own.Database,
            """
            UPDATE jobs SET lost = 2 WHERE project_id = @ProjectId AND kind = 'sleep'
            """,
            new { own.ProjectId }
        );
        await TestJobs.ExecuteAsync(
            own.Database,
            "UPDATE queues SET paused_at = NULL WHERE project_id = @ProjectId",
            new { own.ProjectId }
        );
        await Eventually.BeTrueAsync(
            async () =>
            {
                var (running, left) = await TestJobs.QueryAsync<(long, long)>(
                    own.Database,
                    "SELECT count(*) FILTER (WHERE state = 2), count(*) FROM jobs WHERE project_id = @ProjectId AND kind = 'sleep'",
                    new { own.ProjectId }
                );
                Assert.InRange(running, 0, 1);
                return left == 0;
            },
            "all were tried"
        );
    }

    [Fact]
    public async Task Jobs_run_and_leases_are_extended_while_requests_have_all_sessions()
    {
        await using var own = await OwnService.StartAsync(service);
        using var http = await ClientAsync(own);
        const string Long = """{"kind":"sleep","args":{"seconds":300}}""";
        var held = (await http.PostAsync("/v1/jobs", Long)).Expect(HttpStatusCode.Created).Id;
        var due = (await http.PostAsync("/v1/jobs", """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""")).Id;
        await using var owner = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(own.OwnerConnectionString) { Options = "-c search_path=bellhop" }
        );
        await Eventually.BeTrueAsync(() => RunsAsync(held), "it runs");
        var taken = new List<NpgsqlConnection>();
        for (var number = 0; number < 20; number++)
        {
            taken.Add(await own.Database.OpenConnectionAsync(Token));
        }

        await TestJobs.ExecuteAsync(
            owner,
            "UPDATE jobs SET lease_until = now() + interval '2 seconds' WHERE id = @held",
            new { held }
        );
        await TestJobs.ExecuteAsync(owner, "UPDATE jobs SET run_at = now() WHERE id = @due", new { due });
        await own.Services.GetRequiredService<Heartbeat>().BeatAsync(Token);
        await Eventually.BeTrueAsync(
            () =>
                TestJobs.QueryAsync<bool>(
                    owner,
                    "SELECT EXISTS (SELECT FROM job_history WHERE id = @due AND outcome = 0)",
                    new { due }
                ),
            "the other job is over"
        );

        Assert.True(
            await TestJobs.QueryAsync<bool>(
                owner,
                "SELECT lease_until > now() + interval '5 seconds' FROM jobs WHERE id = @held AND claim_no = 1",
                new { held }
            )
        );
        foreach (var connection in taken)
        {
            await connection.DisposeAsync();
        }

        Task<bool> RunsAsync(Guid id) =>
            TestJobs.QueryAsync<bool>(owner, "SELECT state = 2 FROM jobs WHERE id = @id", new { id });
    }

    private static async Task<HttpClient> ClientAsync(OwnService own)
    {
        var http = new HttpClient { BaseAddress = own.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await own.NewKeyAsync());
        return http;
    }

    private async Task LimitAsync(int jobs)
    {
        const int Limit = 7;
        await using var one = await OwnService.StartAsync(service);
        await using var two = await OwnService.StartAsync(service, beside: one);
        await using var three = await OwnService.StartAsync(service, beside: one);
        using var http = await ClientAsync(one);
        var queue = $$"""{"served_by":"service","max_running":{{Limit}} }""";
        (await http.ChangeAsync("PUT", "/v1/queues/few", queue)).Expect(HttpStatusCode.Created);
        var random = new Random(_seed);
        var some = Enumerable
            .Range(0, jobs)
            .Select(_ => $$"""{"queue":"few","kind":"sleep","args":{"seconds":{{random.Next(5, 50)}}e-3} }""");
        foreach (var part in some.Chunk(1_000))
        {
            (await http.PostAsync("/v1/jobs/bulk", $$"""{"jobs":[{{string.Join(',', part)}}]}""")).Expect(
                HttpStatusCode.OK
            );
        }

        await Eventually.BeTrueAsync(
            async () =>
            {
                var (running, left) = await TestJobs.QueryAsync<(long, long)>(
                    one.Database,
                    "SELECT count(*) FILTER (WHERE state = 2), count(*) FROM jobs WHERE project_id = @ProjectId AND kind = 'sleep'",
                    new { one.ProjectId }
                );
                Assert.True(running <= Limit, $"seed {_seed}: {running} run at once");
                return left == 0;
            },
            "all are over",
            TimeSpan.FromMinutes(5)
        );

        await using var connection = await one.Database.OpenConnectionAsync(Token);
        var most = await JobSpans.CheckAsync(connection, _seed, one.ProjectId);
        Assert.Equal(Limit, most["few"]); // all of it was used
        var (succeeded, inUse, workers) = await TestJobs.QueryAsync<(int, double, int)>(
            one.Database,
            """
            SELECT count(DISTINCT id) FILTER (WHERE outcome = 0)::integer,
                (sum(extract(epoch FROM finished_at - claimed_at))
                    / extract(epoch FROM max(finished_at) - min(claimed_at)))::float8,
                count(DISTINCT worker_id)::integer
            FROM job_history
            WHERE project_id = @ProjectId AND kind = 'sleep'
            """,
            new { one.ProjectId }
        );
        TestContext.Current.SendDiagnosticMessage($"{inUse:0.00} of {Limit} in use, by {workers} processes");
        Assert.Equal(jobs, succeeded);
    }
}
