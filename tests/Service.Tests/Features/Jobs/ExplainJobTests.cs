using System.Net;
using System.Text.Json;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class ExplainJobTests(ServiceFixture service)
{
    private const string Due =
        "UPDATE jobs SET run_at = now() - interval '1 minute' WHERE project_id = @ProjectId AND id = @Id;";
    private const string Workers =
        "UPDATE queues SET served_by = 'workers' WHERE project_id = @ProjectId AND name = 'default';";

    private const string Seen = """
        INSERT INTO workers (project_id, id, name, queues, last_seen_at, directive)
        VALUES (@ProjectId, new_id(), 'w', '{default}', now(), 'run');
        """;

    private const string Hold = """
        UPDATE jobs
        SET state = 2, claim_no = 1, attempt = 1, claimed_at = now(), worker_id = new_id(), lease_until = now() + interval '1 hour'
        WHERE project_id = @ProjectId AND id = @Other;
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What is in the way is named, and nothing else.</summary>
    [Theory]
    [InlineData("", "scheduled", null)]
    [InlineData(
        Due + "UPDATE queues SET paused_at = now() WHERE project_id = @ProjectId AND name = 'default'",
        "paused",
        "queue"
    )]
    [InlineData(
        "UPDATE jobs SET state = 0, wait_reason = 1, lane = 'a', run_at = now() WHERE project_id = @ProjectId AND id = @Id",
        "lane_full",
        "lane"
    )]
    [InlineData(
        Due
            + Workers
            + Seen
            + Hold
            + "UPDATE queues SET max_running = 1 WHERE project_id = @ProjectId AND name = 'default'",
        "queue_full",
        "queue"
    )]
    [InlineData(
        Due
            + Workers
            + Seen
            + """
                UPDATE queues SET rate_count = 1, rate_seconds = 60, rate_burst = 1 WHERE project_id = @ProjectId AND name = 'default';
                INSERT INTO queue_rates (project_id, queue_id, next_at)
                SELECT project_id, queue_id, now() + interval '1 minute' FROM queues WHERE project_id = @ProjectId AND name = 'default'
                """,
        "rate",
        "queue"
    )]
    [InlineData(
        """
            UPDATE jobs SET state = 0, wait_reason = 2 WHERE project_id = @ProjectId AND id = @Id;
            INSERT INTO job_edges (project_id, parent_id, child_id) VALUES (@ProjectId, @Other, @Id)
            """,
        "parents",
        "job"
    )]
    [InlineData(Due + Workers, "no_worker", "queue")]
    [InlineData(
        "UPDATE jobs SET kind = 'from-the-future' WHERE project_id = @ProjectId AND id = @Id",
        "no_handler",
        "queue"
    )]
    [InlineData("UPDATE jobs SET state = 0, wait_reason = 3 WHERE project_id = @ProjectId AND id = @Id", "held", null)]
    [InlineData(
        Due
            + Workers
            + Seen
            + "UPDATE jobs SET run_at = now(), priority = 1 WHERE project_id = @ProjectId AND id = @Other",
        "behind",
        "queue"
    )]
    [InlineData(Due + Workers + Seen, "next", "queue")]
    [InlineData(
        Workers
            + """
                UPDATE jobs
                SET state = 2, claim_no = 1, attempt = 1, worker_id = new_id(), lease_until = now() + interval '1 hour',
                    cancel_requested_at = now(), cancel_by = now() + interval '1 hour'
                WHERE project_id = @ProjectId AND id = @Id
                """,
        "canceling",
        "worker"
    )]
    [InlineData(
        """
            UPDATE jobs
            SET state = 2, claim_no = 1, attempt = 1, worker_id = new_id(), lease_until = now() + interval '1 hour'
            WHERE project_id = @ProjectId AND id = @Id
            """,
        "running",
        "worker"
    )]
    public async Task A_job_says_why_it_does_not_run(string set, string cause, string? obstacle)
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        var other = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job, other);
        if (set.Length > 0)
        {
            await TestJobs.ExecuteAsync(
                service.Database,
                set,
                new
                {
                    ProjectId = project.Id,
                    job.Id,
                    Other = other.Id,
                }
            );
        }

        var why = await ExplainAsync(project, job.Id);

        Assert.Equal(cause, why.GetProperty("cause").GetString());
        Assert.Equal(
            obstacle,
            why.IsNull("in_the_way") ? null : why.GetProperty("in_the_way").GetProperty("kind").GetString()
        );
        if (obstacle is not null)
        {
            var worker = await TestJobs.QueryAsync<Guid?>(
                service.Database,
                "SELECT worker_id FROM jobs WHERE project_id = @ProjectId AND id = @Id",
                new { ProjectId = project.Id, job.Id }
            );
            var name = obstacle switch
            {
                "job" => $"{other.Id}",
                "worker" => $"{worker}",
                "lane" => "a",
                _ => "default",
            };
            Assert.Equal(name, why.GetProperty("in_the_way").GetProperty("name").GetString());
        }

        if (cause == "scheduled")
        {
            Assert.Equal(job.RunAt, why.GetProperty("starts_at").GetDateTime());
        }
        else if (cause == "rate")
        {
            Assert.InRange(
                why.GetProperty("starts_at").GetDateTime() - DateTime.UtcNow,
                TimeSpan.Zero,
                TimeSpan.FromMinutes(1)
            );
        }

        if (cause == "behind")
        {
            Assert.Equal(1, why.GetProperty("position").GetInt32());
        }
    }

    [Fact]
    public async Task How_many_come_before_it_is_said()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        await worker.ClaimAsync(); // it was seen
        for (var priority = 1; priority <= 3; priority++)
        {
            await worker.EnqueueAsync(new { priority });
        }

        var job = await worker.EnqueueAsync(new { priority = 3 });
        await worker.EnqueueAsync(new { priority = 3 });
        await worker.EnqueueAsync(new { priority = 1, run_at = "2999-01-01T00:00:00Z" });

        var why = await ExplainAsync(project, job);

        Assert.Equal("behind", why.GetProperty("cause").GetString());
        Assert.Equal(3, why.GetProperty("position").GetInt32());
    }

    [Fact]
    public async Task A_lease_that_ended_without_a_word_is_said()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            UPDATE jobs
            SET state = 2, claim_no = 1, attempt = 1, worker_id = new_id(), lease_until = now() + interval '1 second'
            WHERE project_id = @ProjectId AND id = @Id
            """,
            new { ProjectId = project.Id, job.Id }
        );
        // who rescues passes over a row that is locked
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync(
            "SELECT FROM jobs WHERE project_id = @ProjectId AND id = @Id FOR UPDATE".With(
                new { ProjectId = project.Id, job.Id },
                Token
            )
        );

        var why = await Eventually.FitAsync(
            () => ExplainAsync(project, job.Id),
            why => why.GetProperty("cause").GetString() != "running"
        );

        Assert.Equal("worker_silent", why.GetProperty("cause").GetString());
        Assert.Equal("worker", why.GetProperty("in_the_way").GetProperty("kind").GetString());
    }

    [Fact]
    public async Task Who_waits_for_a_job_that_ended_otherwise_is_told_so()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var good = await worker.EnqueueAsync(new { held = true });
        var bad = await worker.EnqueueAsync(new { held = true });
        var job = await worker.EnqueueAsync(new { depends_on = new[] { good, bad }, on_parent_failure = "wait" });
        Assert.Equal("A job that it waits for has not ended.", Message(await ExplainAsync(project, job)));
        (await project.Http.PostAsync($"/v1/jobs/{bad}/cancel", "{}")).Expect(HttpStatusCode.OK);

        var why = await Eventually.FitAsync(
            () => ExplainAsync(project, job),
            why =>
                Message(why)
                    .EndsWith("it goes on when that one was retried and ends as it needs.", StringComparison.Ordinal)
        );

        Assert.Equal("parents", why.GetProperty("cause").GetString());
        Assert.Equal($"{bad}", why.GetProperty("in_the_way").GetProperty("name").GetString());

        static string Message(JsonElement why) => why.GetProperty("message").GetString()!;
    }

    [Fact]
    public async Task What_is_over_says_how_it_ended()
    {
        var project = await service.NewProjectAsync();
        var done = TestJobs.Noop(project.Id);
        var gone = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, done, gone);
        await TestJobs.BecomeAsync(project, done.Id, "succeeded");
        (await project.Http.PostAsync($"/v1/jobs/{gone.Id}/cancel", "{}")).Expect(HttpStatusCode.OK);

        Assert.Equal("finished", (await ExplainAsync(project, done.Id)).GetProperty("cause").GetString());
        Assert.Equal("canceled", (await ExplainAsync(project, gone.Id)).GetProperty("cause").GetString());
    }

    [Fact]
    public async Task Of_jobs_that_are_not_the_callers_nothing_is_said()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);

        (await other.Http.CallAsync("GET", $"/v1/jobs/{job.Id}/why")).Expect(HttpStatusCode.NotFound);
        await TestJobs.NarrowAsync(project, "elsewhere");
        (await project.Http.CallAsync("GET", $"/v1/jobs/{job.Id}/why")).Expect(HttpStatusCode.NotFound);
    }

    private static async Task<JsonElement> ExplainAsync(TestProject project, Guid id) =>
        (await project.Http.CallAsync("GET", $"/v1/jobs/{id}/why")).Expect(HttpStatusCode.OK).Body;
}
