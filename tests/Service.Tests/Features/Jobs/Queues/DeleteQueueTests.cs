using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class DeleteQueueTests(ServiceFixture service)
{
    [Theory]
    [InlineData("default")]
    [InlineData("automations")]
    [InlineData("webhooks")]
    public async Task The_queues_that_every_project_has_stay(string name)
    {
        var http = (await service.NewProjectAsync()).Http;

        var answer = await http.ChangeAsync("DELETE", $"/v1/queues/{name}", ifMatch: "*");

        Assert.Equal("queue_built_in", answer.Expect(HttpStatusCode.Conflict).Code);
    }

    [Theory]
    [InlineData("state = 1")]
    [InlineData("state = 2, lease_until = now() + interval '1 hour'")]
    [InlineData("state = 0, wait_reason = 1")]
    [InlineData("state = 0, wait_reason = 2")]
    [InlineData("state = 0, wait_reason = 3")]
    public async Task A_queue_with_an_unfinished_job_stays(string state)
    {
        var project = await service.NewProjectAsync();
        var http = project.Http;
        await http.PostAsync("/v1/queues", """{"name":"q"}""");
        var job = await http.PostAsync("/v1/jobs", """{"queue":"q","kind":"theirs","run_at":"2999-01-01T00:00:00Z"}""");
        await TestJobs.ExecuteAsync(
            service.Database,
            $"UPDATE jobs SET {state} WHERE project_id = @Project AND id = @Id",
            new { Project = project.Id, job.Id }
        );

        var answer = await http.ChangeAsync("DELETE", "/v1/queues/q", ifMatch: "*");

        Assert.Equal("queue_not_empty", answer.Expect(HttpStatusCode.Conflict).Code);
    }

    [Fact]
    public async Task The_history_of_its_jobs_stays_and_a_new_queue_of_its_name_has_none_of_it()
    {
        var project = await service.NewProjectAsync();
        var http = project.Http;
        await http.PostAsync("/v1/queues", """{"name":"q","served_by":"service"}""");
        var job = (await http.PostAsync("/v1/jobs", """{"queue":"q","kind":"noop"}""")).Expect(HttpStatusCode.Created);
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        (await http.ChangeAsync("DELETE", "/v1/queues/q", ifMatch: "*")).Expect(HttpStatusCode.NoContent);
        var refused = await http.PostAsync("/v1/jobs", """{"queue":"q","kind":"noop"}""");
        await http.PostAsync("/v1/queues", """{"name":"q","served_by":"service"}""");
        var second = (await http.PostAsync("/v1/jobs", """{"queue":"q","kind":"noop"}""")).Expect(
            HttpStatusCode.Created
        );

        Assert.Equal("unknown_queue", refused.Expect(HttpStatusCode.UnprocessableEntity).Code);
        await TestJobs.BecomeAsync(project, second.Id, "succeeded");
        Assert.Equal("q", (await TestJobs.GetAsync(project, job.Id)).GetProperty("queue").GetString());
    }

    [Fact]
    public async Task A_job_of_the_same_moment_is_refused_or_keeps_the_queue()
    {
        var project = await service.NewProjectAsync();
        var http = project.Http;
        var deleted = 0;
        for (var round = 0; round < 30; round++)
        {
            await http.PostAsync("/v1/queues", $$"""{"name":"q-{{round}}"}""");
            var enqueuing = Enumerable
                .Range(0, 4)
                .Select(_ => http.PostAsync("/v1/jobs", $$"""{"queue":"q-{{round}}","kind":"theirs"}"""))
                .ToArray();
            var deleting = http.ChangeAsync("DELETE", $"/v1/queues/q-{round}", ifMatch: "*");

            var made = (await Task.WhenAll(enqueuing)).Count(answer => answer.Status == HttpStatusCode.Created);

            var isDeleted = (await deleting).Status == HttpStatusCode.NoContent;
            deleted += isDeleted ? 1 : 0;
            Assert.Equal(isDeleted, made == 0);
        }

        var lost = await TestJobs.QueryAsync<long>(
            service.Database,
            """
            SELECT count(*)
            FROM jobs j
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            WHERE j.project_id = @Id AND q.deleted_at IS NOT NULL
            """,
            new { project.Id }
        );
        Assert.Equal(0, lost);
        TestContext.Current.TestOutputHelper?.WriteLine($"{deleted} of 30 were deleted");
    }

    [Fact]
    public async Task A_job_that_is_not_committed_yet_keeps_the_queue()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"q"}""");
        await using var connection = await service.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        var job = TestJobs.Noop(project.Id) with { Queue = "q" };
        await JobQueue.EnqueueAsync(connection, [job], TestContext.Current.CancellationToken);
        var number = await connection.QuerySingleAsync<string>("SELECT pg_current_xact_id()::text");

        var deleting = project.Http.ChangeAsync("DELETE", "/v1/queues/q", ifMatch: "*");
        await Eventually.BeTrueAsync(
            () =>
                TestJobs.QueryAsync<bool>(
                    service.Database,
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND transactionid::text = @Number)",
                    new { Number = number }
                ),
            "the deletion waits"
        );
        await transaction.CommitAsync(TestContext.Current.CancellationToken);

        Assert.Equal("queue_not_empty", (await deleting).Expect(HttpStatusCode.Conflict).Code);
    }
}
