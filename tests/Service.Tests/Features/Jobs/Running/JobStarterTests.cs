using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Running;

public sealed class JobStarterTests(ServiceFixture service) : IAsyncLifetime
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private OwnService _own = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        _own = await OwnService.StartAsync(service);
        _http = new HttpClient { BaseAddress = _own.Address };
        _http.DefaultRequestHeaders.Authorization = new("Bearer", await _own.NewKeyAsync(Roles.Owner));
        await BecomeAsync(await EnqueueAsync("default", "ready", "running"), "succeeded"); // its slots are there
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _own.StopAsync();
        await _own.DisposeAsync();
    }

    [Fact]
    public async Task A_job_that_nothing_waits_before_begins_by_the_statement_that_enqueues_it_and_ends_once()
    {
        var id = await EnqueueAsync("default", "running");

        await BecomeAsync(id, "succeeded");
        Assert.Equal(
            (1, 1, true),
            await TestJobs.QueryAsync<(int, int, bool)>(
                _own.Database,
                """
                SELECT count(*)::integer, max(attempt)::integer, bool_and(claimed_at >= run_at AND worker_id IS NOT NULL)
                FROM job_history
                WHERE id = @id
                """,
                new { id }
            )
        );
    }

    [Theory]
    [InlineData("""{"served_by":"service","max_running":5}""")]
    [InlineData("""{"served_by":"service","rate":{"count":1000,"seconds":1,"burst":100}}""")]
    [InlineData("""{"served_by":"service","max_run_seconds":60}""")]
    public async Task On_a_queue_that_bounds_what_runs_jobs_are_claimed(string queue)
    {
        (await _http.ChangeAsync("PUT", "/v1/queues/bound", queue)).Expect(HttpStatusCode.Created);
        await BecomeAsync(await EnqueueAsync("bound", "ready"), "succeeded"); // its slots are there

        await BecomeAsync(await EnqueueAsync("bound", "ready"), "succeeded");
    }

    [Fact]
    public async Task On_a_queue_that_is_paused_nothing_begins()
    {
        (await _http.ChangeAsync("PUT", "/v1/queues/still", """{"served_by":"service"}""")).Expect(
            HttpStatusCode.Created
        );
        await BecomeAsync(await EnqueueAsync("still", "ready"), "succeeded"); // its slots are there
        (await _http.PostAsync("/v1/queues/still/pause", "{}")).Expect(HttpStatusCode.OK);

        var id = await EnqueueAsync("still", "ready");

        Assert.Equal("ready", await StateAsync(id));
        (await _http.PostAsync("/v1/queues/still/resume", "{}")).Expect(HttpStatusCode.OK);
        await BecomeAsync(id, "succeeded");
    }

    [Fact]
    public async Task While_a_pause_is_being_committed_nothing_begins()
    {
        (await _http.ChangeAsync("PUT", "/v1/queues/brink", """{"served_by":"service"}""")).Expect(
            HttpStatusCode.Created
        );
        await BecomeAsync(await EnqueueAsync("brink", "ready"), "succeeded"); // its slots are there
        await using var connection = await _own.Database.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("SELECT FROM queues WHERE name = 'brink' FOR UPDATE");
        await connection.ExecuteAsync("UPDATE queues SET paused_at = now() WHERE name = 'brink'");
        var number = await connection.QuerySingleAsync<string>("SELECT pg_current_xact_id()::text");

        var enqueuing = EnqueueAsync("brink", "ready");
        await Eventually.BeTrueAsync(
            () =>
                TestJobs.QueryAsync<bool>(
                    _own.Database,
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND transactionid::text = @Number)",
                    new { Number = number }
                ),
            "it waits for the pause"
        );
        await transaction.CommitAsync(Token);

        Assert.Equal("ready", await StateAsync(await enqueuing));
    }

    [Fact]
    public async Task A_job_that_waits_is_not_overtaken()
    {
        (await _http.ChangeAsync("PUT", "/v1/queues/row", """{"served_by":"service"}""")).Expect(
            HttpStatusCode.Created
        );
        await BecomeAsync(await EnqueueAsync("row", "ready"), "succeeded"); // its slots are there
        // of two that were lost twice one is tried alone, and the other is due meanwhile
        foreach (var _ in (int[])[1, 2])
        {
            (
                await _http.PostAsync(
                    "/v1/jobs",
                    """{"queue":"row","kind":"sleep","args":{"seconds":60},"run_at":"2999-01-01T00:00:00Z"}"""
                )
            ).Expect(HttpStatusCode.Created);
        }

        await TestJobs.ExecuteAsync(
            _own.Database,
            "UPDATE jobs SET lost = 2, run_at = now() WHERE kind = 'sleep'",
            new { }
        );
        await Eventually.BeTrueAsync(
            () =>
                TestJobs.QueryAsync<bool>(
                    _own.Database,
                    "SELECT count(*) FILTER (WHERE state = 2) = 1 AND count(*) = 2 FROM jobs WHERE kind = 'sleep'",
                    new { }
                ),
            "one of them is on trial"
        );

        await BecomeAsync(await EnqueueAsync("row", "ready"), "succeeded");
    }

    [Fact]
    public async Task What_the_database_refuses_leaves_its_slot_free()
    {
        var channel = _own.Services.GetRequiredService<JobChannel>();
        for (var count = 0; count < 50; count++)
        {
            await Assert.ThrowsAsync<PostgresException>(() => channel.StoreAsync(Job("{"), Token));
        }

        Assert.Equal((short)2, (await channel.StoreAsync(Job("{}"), Token)).Unwrap()!.State);
    }

    private NewJob Job(string args) =>
        new()
        {
            ProjectId = _own.ProjectId,
            Id = Guid.CreateVersion7(),
            Queue = JobQueue.Default,
            Kind = "noop",
            Args = args,
        };

    private async Task<Guid> EnqueueAsync(string queue, params string[] states)
    {
        var job = (await _http.PostAsync("/v1/jobs", $$"""{"queue":"{{queue}}","kind":"noop"}""")).Expect(
            HttpStatusCode.Created
        );
        Assert.Contains(job.Body.State(), states);
        return job.Body.GetProperty("id").GetGuid();
    }

    private async Task<string> StateAsync(Guid id) =>
        (await _http.CallAsync("GET", $"/v1/jobs/{id}")).Expect(HttpStatusCode.OK).Body.State();

    private Task BecomeAsync(Guid id, string state) =>
        Eventually.BeTrueAsync(async () => await StateAsync(id) == state, $"the job {state}");
}
