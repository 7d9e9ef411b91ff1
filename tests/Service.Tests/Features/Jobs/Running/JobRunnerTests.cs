using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Running;

public sealed class JobRunnerTests(ServiceFixture service)
{
    [Fact]
    public async Task An_outage_gives_the_attempt_back()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.New(
            project.Id,
            (job, _) =>
                job.ClaimNo == 1 ? throw new NpgsqlException("gone", new IOException("reset")) : TestJobs.Succeed()
        );
        await TestJobs.EnqueueAsync(service, job);

        var found = await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        Assert.Equal(1, found.GetProperty("attempt").GetInt32());
        Assert.Equal("released", found.GetProperty("attempts")[0].GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task An_execution_that_takes_longer_than_its_queue_allows_is_a_failed_attempt()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"short","served_by":"service","max_run_seconds":1}""");
        var job = TestJobs.New(
            project.Id,
            async (_, token) =>
            {
                await Task.Delay(Timeout.Infinite, token);
                return new JobOutcome.Succeeded(null);
            }
        ) with
        {
            Queue = "short",
            MaxAttempts = 1,
        };
        await TestJobs.EnqueueAsync(service, job);

        var over = await TestJobs.BecomeAsync(project, job.Id, "failed");

        Assert.Equal("deadline", over.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_queue_with_a_limit_never_runs_more_and_uses_what_it_has()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"few","served_by":"service","max_running":3}""");
        var (running, most) = (0, 0);
        var jobs = Enumerable
            .Range(0, 60)
            .Select(_ =>
                TestJobs.New(
                    project.Id,
                    async (_, token) =>
                    {
                        InterlockedMax(ref most, Interlocked.Increment(ref running));
                        await Task.Delay(5, token);
                        Interlocked.Decrement(ref running);
                        return new JobOutcome.Succeeded(null);
                    }
                ) with
                {
                    Queue = "few",
                }
            )
            .ToArray();
        await TestJobs.EnqueueAsync(service, jobs);

        foreach (var job in jobs)
        {
            await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        }

        Assert.InRange(most, 2, 3);

        static void InterlockedMax(ref int most, int value)
        {
            for (var seen = Volatile.Read(ref most); value > seen; seen = Volatile.Read(ref most))
            {
                Interlocked.CompareExchange(ref most, value, seen);
            }
        }
    }

    [Fact]
    public async Task A_kind_nobody_here_knows_goes_back_for_a_minute()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { Kind = "from-the-future" };
        await TestJobs.EnqueueAsync(service, job);

        var found = await Eventually.FitAsync(
            () => TestJobs.GetAsync(project, job.Id),
            job => job.GetProperty("attempts").GetArrayLength() == 1
        );

        Assert.Equal("ready", found.State());
        Assert.Equal(0, found.GetProperty("attempt").GetInt32());
    }

    [Fact]
    public async Task A_stopping_process_hands_back_what_runs_and_counts_no_attempt()
    {
        await using var own = await OwnService.StartAsync(service);
        var started = new CountdownEvent(20);
        var jobs = Enumerable
            .Range(0, 30)
            .Select(n =>
                TestJobs.New(
                    own.ProjectId,
                    async (_, token) =>
                    {
                        started.Signal();
                        // every other handler is deaf to its token
                        await Task.Delay(
                            TimeSpan.FromMinutes(n % 2 == 0 ? 5 : 0.1),
                            n % 2 == 0 ? token : CancellationToken.None
                        );
                        return new JobOutcome.Succeeded(null);
                    }
                )
            )
            .ToArray();
        await TestJobs.EnqueueAsync(own.Database, own.Services, jobs);
        await Task.Run(() => started.Wait(Eventually.Patience), TestContext.Current.CancellationToken);

        await own.StopAsync();

        var left = await TestJobs.QueryAsync<(long Ready, long Attempts)>(
            own.Database,
            "SELECT count(*) FILTER (WHERE state = 1 AND lease_until IS NULL), sum(attempt)::bigint FROM jobs WHERE project_id = @ProjectId",
            new { own.ProjectId }
        );
        Assert.Equal((30, 0), left);
    }

    [Fact]
    public async Task The_engine_outlives_every_connection_it_has()
    {
        await using var own = await OwnService.StartAsync(service);
        await using var owner = NpgsqlDataSource.Create(service.OwnerConnectionString);
        for (var round = 0; round < 3; round++)
        {
            await EnqueueInTroubleAsync(own);
            await TestJobs.QueryAsync<long>(
                owner,
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = @Database",
                new { Database = new NpgsqlConnectionStringBuilder(own.Database.ConnectionString).Database }
            );
        }

        await using var fresh = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(service.OwnerConnectionString)
            {
                Database = new NpgsqlConnectionStringBuilder(own.Database.ConnectionString).Database,
                Options = "-c search_path=bellhop",
            }
        );
        await Eventually.BeTrueAsync(
            async () =>
                await TestJobs.QueryAsync<long>(
                    fresh,
                    "SELECT count(*) FROM job_history WHERE project_id = @ProjectId AND outcome = 0",
                    new { own.ProjectId }
                ) >= 3,
            "the jobs succeeded",
            TimeSpan.FromSeconds(60)
        );
    }

    /// <summary>A caller that repeats what an outage cut off.</summary>
    private static Task EnqueueInTroubleAsync(OwnService own) =>
        Eventually.BeTrueAsync(
            async () =>
            {
                try
                {
                    await TestJobs.EnqueueAsync(own.Database, own.Services, TestJobs.Noop(own.ProjectId));
                    return true;
                }
                catch (NpgsqlException)
                {
                    return false;
                }
            },
            "a job was enqueued"
        );
}
