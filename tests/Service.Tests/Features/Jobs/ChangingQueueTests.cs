using System.Net;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

/// <summary>Jobs that are enqueued while a change of their queue is not committed yet: they find the queue as it is then.</summary>
public sealed class ChangingQueueTests(ServiceFixture service)
{
    private const string Deletes = "deleted_at = now()";
    private const string TurnsToTheService = "served_by = 'service'";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Deletes, "", "unknown_queue")]
    [InlineData(Deletes, ""","unique":{"key":"order-7"}""", "unknown_queue")]
    [InlineData(TurnsToTheService, "", "unknown_kind")]
    [InlineData(TurnsToTheService, ""","unique":{"key":"order-7"}""", "unknown_kind")]
    public async Task What_the_queue_no_longer_takes_is_refused_and_leaves_no_key(
        string change,
        string more,
        string code
    )
    {
        var project = await StartAsync();

        var answer = await EnqueueDuringAsync(project, change, "/v1/jobs", Job("letters", more));

        Assert.Equal(code, answer.Expect(HttpStatusCode.UnprocessableEntity).Code);
        Assert.Equal((0, 0), (await CountAsync(project, "jobs"), await CountAsync(project, "job_keys")));
    }

    [Fact]
    public async Task A_key_goes_to_the_next_in_the_request_that_is_stored()
    {
        var project = await StartAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"others"}""");
        const string Unique = ""","unique":{"key":"order-7"}""";

        var answer = await EnqueueDuringAsync(
            project,
            Deletes,
            "/v1/jobs/bulk",
            $$"""{"jobs":[{{Job("letters", Unique)}},{{Job("others", Unique)}}]}"""
        );

        var second = answer.Expect(HttpStatusCode.OK).Body.GetProperty("results")[1];
        Assert.Equal(201, second.GetProperty("status").GetInt32());
        Assert.Equal(
            second.GetProperty("id").GetGuid(),
            await TestJobs.QueryAsync<Guid>(
                service.Database,
                "SELECT job_id FROM job_keys WHERE project_id = @Id AND key = 'order-7'",
                new { project.Id }
            )
        );
    }

    [Fact]
    public async Task The_job_has_what_the_queue_says_after_the_change()
    {
        var project = await StartAsync();

        var answer = await EnqueueDuringAsync(
            project,
            "max_attempts = 7, lane_limit = 1",
            "/v1/jobs",
            Job("letters", ""","lane":"customer-7","run_at":"2999-01-01T00:00:00Z" """)
        );

        var job = await TestJobs.GetAsync(project, answer.Expect(HttpStatusCode.Created).Id);
        Assert.Equal(("waiting", 7), (job.State(), job.GetProperty("max_attempts").GetInt32()));
    }

    [Theory]
    [InlineData(Deletes, "the project has no queue letters")]
    [InlineData(TurnsToTheService, "the service's own")]
    public async Task What_comes_from_SQL_is_refused_too(string change, string why)
    {
        var project = await StartAsync();
        await using var owner = new Npgsql.NpgsqlConnection(service.OwnerConnectionString);
        await owner.OpenAsync(Token);

        var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() =>
            DuringAsync(
                project,
                change,
                () =>
                    owner.ExecuteAsync(
                        "SELECT bellhop.enqueue(@Id, 'letters', 'webhooks.send', unique_key => 'order-7')".With(
                            new { project.Id },
                            Token
                        )
                    )
            )
        );

        Assert.Contains(why, refused.MessageText, StringComparison.Ordinal);
        Assert.Equal((0, 0), (await CountAsync(project, "jobs"), await CountAsync(project, "job_keys")));
    }

    private static string Job(string queue, string more) => $$"""{"queue":"{{queue}}","kind":"theirs"{{more}}}""";

    private async Task<TestProject> StartAsync()
    {
        var project = await service.NewProjectAsync();
        (await project.Http.PostAsync("/v1/queues", """{"name":"letters"}""")).Expect(HttpStatusCode.Created);
        return project;
    }

    private Task<Answer> EnqueueDuringAsync(TestProject project, string change, string path, string body) =>
        DuringAsync(project, change, () => project.Http.PostAsync(path, body));

    /// <summary>Commits a change of the queue <c>letters</c> as soon as what is enqueued waits for it.</summary>
    private async Task<T> DuringAsync<T>(TestProject project, string change, Func<Task<T>> enqueue)
    {
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync(
            "SELECT FROM queues WHERE project_id = @Id AND name = 'letters' FOR UPDATE".With(new { project.Id }, Token)
        );
        await connection.ExecuteAsync(
            $"UPDATE queues SET {change} WHERE project_id = @Id AND name = 'letters'".With(new { project.Id }, Token)
        );
        var number = await connection.QuerySingleAsync<string>("SELECT pg_current_xact_id()::text");

        var enqueuing = enqueue();
        await Eventually.BeTrueAsync(
            () =>
                TestJobs.QueryAsync<bool>(
                    service.Database,
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND transactionid::text = @Number)",
                    new { Number = number }
                ),
            "it waits for the change"
        );
        await transaction.CommitAsync(Token);
        return await enqueuing;
    }

    private Task<long> CountAsync(TestProject project, string table) =>
        TestJobs.QueryAsync<long>(
            service.Database,
            $"SELECT count(*) FROM {table} WHERE project_id = @Id",
            new { project.Id }
        );
}
