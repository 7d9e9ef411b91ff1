using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

/// <summary>What the tests of the engine do with jobs, past the API.</summary>
internal static class TestJobs
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static NewJob New(Guid projectId, Script script, string? retry = null, Continuation? continuation = null)
    {
        var job = new NewJob
        {
            ProjectId = projectId,
            Id = Guid.CreateVersion7(),
            Queue = JobQueue.Default,
            Kind = ScriptedJobs.Name,
            Args = "{}",
            Retry = retry,
            Continuation = continuation,
        };
        ScriptedJobs.Write(job.Id, script);
        return job;
    }

    public static NewJob Noop(Guid projectId) =>
        new()
        {
            ProjectId = projectId,
            Id = Guid.CreateVersion7(),
            Queue = JobQueue.Default,
            Kind = "noop",
            Args = "{}",
        };

    /// <summary>A job that is not due while the test lasts.</summary>
    public static NewJob Later(Guid projectId) =>
        Noop(projectId) with
        {
            RunAt = new DateTime(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc),
        };

    public static Task<JobOutcome> Succeed(string? result = null) =>
        Task.FromResult<JobOutcome>(new JobOutcome.Succeeded(result));

    public static async Task<IReadOnlyList<Guid>> EnqueueAsync(
        NpgsqlDataSource database,
        IServiceProvider services,
        params NewJob[] jobs
    )
    {
        await using var connection = await database.OpenConnectionAsync(Token);
        var ids = await JobQueue.EnqueueAsync(connection, jobs, Token);
        services.GetRequiredService<QueueSignals>().Raise();
        return [.. ids.Select(job => job.Id)];
    }

    /// <summary>Moves a job that waits for its time to now.</summary>
    public static async Task MakeDueAsync(TestProject project, Guid id)
    {
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            "UPDATE jobs SET run_at = now() WHERE project_id = @ProjectId AND id = @Id".With(
                new { ProjectId = project.Id, Id = id },
                Token
            )
        );
    }

    /// <summary>Keeps a queue of the project from being claimed, or lets go of it again.</summary>
    /// <param name="since">An SQL expression: <c>now()</c> or <c>NULL</c>.</param>
    public static Task<int> HoldQueueAsync(TestProject project, string queue, string since) =>
        ExecuteAsync(
            project.Database,
            $"UPDATE queues SET paused_at = {since} WHERE project_id = @ProjectId AND name = @Queue",
            new { ProjectId = project.Id, Queue = queue }
        );

    public static Task<IReadOnlyList<Guid>> EnqueueAsync(ServiceFixture service, params NewJob[] jobs) =>
        EnqueueAsync(service.Database, service.Services, jobs);

    public static async Task<JsonElement> GetAsync(TestProject project, Guid id) =>
        await project.Http.GetFromJsonAsync<JsonElement>($"/v1/jobs/{id}", Token);

    /// <summary>Goes on with a key, an operator's if nothing is said, for jobs of this queue alone.</summary>
    public static async Task NarrowAsync(TestProject project, string queue, string role = "operator")
    {
        await project.UseKeyAsync(role);
        var narrowed = await ExecuteAsync(
            project.Database,
            """
            UPDATE api_keys SET access = json_build_object('queues', ARRAY[@Queue]) WHERE project_id = @ProjectId AND role = @Role
            """,
            new
            {
                ProjectId = project.Id,
                Queue = queue,
                Role = role,
            }
        );
        Assert.True(narrowed > 0);
    }

    /// <summary>How often something of this name is on record.</summary>
    public static Task<long> CountRecordsAsync(this TestProject project, string action) =>
        QueryAsync<long>(
            project.Database,
            "SELECT count(*) FROM audit_entries WHERE project_id = @ProjectId AND action = @Action",
            new { ProjectId = project.Id, Action = action }
        );

    public static bool IsNull(this JsonElement job, string member) =>
        job.GetProperty(member).ValueKind == JsonValueKind.Null;

    public static string State(this JsonElement job) => job.GetProperty("state").GetString()!;

    public static Task<JsonElement> BecomeAsync(TestProject project, Guid id, string state) =>
        Eventually.FitAsync(() => GetAsync(project, id), job => job.State() == state);

    public static async Task<int> ExecuteAsync(NpgsqlDataSource database, string sql, object arguments)
    {
        await using var connection = await database.OpenConnectionAsync(Token);
        return await connection.ExecuteAsync(sql.With(arguments, Token));
    }

    public static async Task<T?> QueryAsync<T>(NpgsqlDataSource database, string sql, object arguments)
    {
        await using var connection = await database.OpenConnectionAsync(Token);
        return await connection.QuerySingleOrDefaultAsync<T>(sql.With(arguments, Token));
    }
}
