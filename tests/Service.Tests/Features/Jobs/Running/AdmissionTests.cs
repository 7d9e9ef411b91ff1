using System.Net;
using System.Net.Http.Headers;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Running;

/// <summary>In a process without duties, so that nothing but what is told, or kept in mind, lets a job of a lane in.</summary>
public sealed class AdmissionTests(ServiceFixture service) : IAsyncLifetime
{
    private OwnService _own = null!;
    private HttpClient _http = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _own = await OwnService.StartAsync(service, set: settings => settings with { Roles = ["api"] });
        _http = new HttpClient { BaseAddress = _own.Address };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await _own.NewKeyAsync());
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _own.DisposeAsync();
    }

    [Theory]
    [InlineData("""{"lane_limit":1}""")]
    [InlineData("""{"lane_limit":2}""")]
    [InlineData("""{"lane_ordered":true}""")]
    public async Task A_job_whose_lane_has_room_is_let_in_when_it_falls_due(string limits)
    {
        var worker = await StartAsync(limits);
        var later = await worker.EnqueueAsync(new { lane = "a", run_at = "2999-01-01T00:00:00Z" });
        var due = DateTimeOffset.UtcNow.AddSeconds(3);
        var soon = await worker.EnqueueAsync(
            new
            {
                lane = "b",
                priority = 4,
                run_at = due,
            }
        );

        Assert.Equal(soon, await TakeAsync(worker));

        Assert.True(DateTimeOffset.UtcNow >= due.AddMilliseconds(-1));
        Assert.NotEqual(later, soon);
        Assert.Empty(await worker.ClaimAsync());
    }

    [Fact]
    public async Task A_job_that_was_put_off_is_let_in_again_when_it_falls_due()
    {
        var worker = await StartAsync("""{"lane_limit":1}""");
        var id = await worker.EnqueueAsync(new { lane = "a" });
        var job = Assert.Single(await worker.ClaimAsync(wait: 20));

        await worker.FinishAsync(TestWorker.End(job, "snoozed", delay: 2));

        Assert.Equal(id, await TakeAsync(worker));
    }

    [Theory]
    [InlineData("""{"lane_limit":1}""", """{"lane_limit":2}""")]
    [InlineData("""{"lane_limit":1}""", """{"lane_limit":null}""")]
    [InlineData("""{"lane_ordered":true}""", """{"lane_ordered":false,"lane_limit":null}""")]
    public async Task Where_a_queue_leaves_its_lanes_more_room_their_jobs_are_let_in(string limits, string wider)
    {
        var worker = await StartAsync(limits);
        await worker.EnqueueAsync(new { lane = "a" });
        Assert.Single(await worker.ClaimAsync(wait: 20));
        var next = await worker.EnqueueAsync(new { lane = "a" });
        Assert.Empty(await worker.ClaimAsync());

        (await _http.ChangeAsync("PATCH", "/v1/queues/mail", wider, "*")).Expect(HttpStatusCode.OK);

        Assert.Equal(next, await TakeAsync(worker));
    }

    /// <summary>As after a restart, or of jobs that plain SQL put there.</summary>
    [Fact]
    public async Task A_job_that_nobody_was_told_of_is_let_in_when_it_falls_due_once_the_duty_saw_it()
    {
        var worker = await StartAsync("""{"lane_limit":1}""");
        var id = await TestJobs.QueryAsync<Guid>(
            _own.Database,
            """
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, wait_reason, lane, priority, max_attempts, kind, args)
            SELECT project_id, new_id(), queue_id, now() + interval '3 seconds', 0, 1, 'a', 2, 3, 'letter', '{}'
            FROM queues
            WHERE project_id = @ProjectId AND name = 'mail'
            RETURNING id
            """,
            new { _own.ProjectId }
        );

        var seen = (await _own.SendAsync(_own.ProjectId, new AdmitJobs.Command())).Unwrap();

        Assert.Equal(0, seen.Lanes); // it is not due
        Assert.Equal(id, await TakeAsync(worker));
    }

    private async Task<TestWorker> StartAsync(string limits)
    {
        using var content = new StringContent(limits, MediaTypeHeaderValue.Parse("application/json"));
        using var made = await _http.PutAsync("/v1/queues/mail", content, Token);
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        return new TestWorker(_http, "mail");
    }

    private static async Task<Guid> TakeAsync(TestWorker worker) =>
        Assert.Single(await worker.ClaimAsync(wait: 20)).GetProperty("id").GetGuid();
}
