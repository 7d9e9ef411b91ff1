using System.Net;
using System.Text.Json;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class GetJobTests(ServiceFixture service)
{
    [Fact]
    public async Task A_finished_job_shows_its_result_and_its_args()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.New(project.Id, (_, _) => TestJobs.Succeed("""{"n":1}"""));
        await TestJobs.EnqueueAsync(service, job);

        var found = await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        Assert.Equal("default", found.GetProperty("queue").GetString());
        Assert.Equal(1, found.GetProperty("attempt").GetInt32());
        Assert.Equal(1, found.GetProperty("result").GetProperty("n").GetInt32());
        Assert.Equal("{}", found.GetProperty("args").GetRawText());
        Assert.Equal(JsonValueKind.Null, found.GetProperty("error").ValueKind);
        Assert.Equal(JsonValueKind.String, found.GetProperty("finished_at").ValueKind);
        Assert.Empty(found.GetProperty("attempts").EnumerateArray());
    }

    [Fact]
    public async Task Args_and_result_are_left_out_without_the_permission_to_read_data()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        Assert.True((await TestJobs.GetAsync(project, job.Id)).TryGetProperty("result", out _));
        await project.UseKeyAsync("viewer");

        var seen = await TestJobs.GetAsync(project, job.Id);
        Assert.False(seen.TryGetProperty("args", out _));
        Assert.False(seen.TryGetProperty("result", out _));
    }

    [Fact]
    public async Task Another_projects_job_is_404()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { RunAt = new DateTime(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc) };
        await TestJobs.EnqueueAsync(service, job);

        var response = await other.Http.GetAsync($"/v1/jobs/{job.Id}", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task What_is_committed_while_it_reads_does_not_show_by_half()
    {
        var token = TestContext.Current.CancellationToken;
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { RunAt = new DateTime(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc) };
        await TestJobs.EnqueueAsync(service, job);
        await using var owner = NpgsqlDataSource.Create(service.OwnerConnectionString);
        await using var connection = await owner.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        var arguments = new { ProjectId = project.Id, job.Id };
        await connection.ExecuteAsync("LOCK TABLE bellhop.job_attempts IN ACCESS EXCLUSIVE MODE".With(null, token));

        var reading = TestJobs.GetAsync(project, job.Id);
        await Eventually.BeTrueAsync(
            () => TestJobs.QueryAsync<bool>(owner, Waits, new { Reader = "%FROM job_attempts%ORDER BY at, claim_no%" }),
            "the reader has read the job and waits for its attempts"
        );
        await connection.ExecuteAsync(
            "UPDATE bellhop.jobs SET attempt = 1, claim_no = 1 WHERE project_id = @ProjectId AND id = @Id".With(
                arguments,
                token
            )
        );
        await connection.ExecuteAsync(
            """
            INSERT INTO bellhop.job_attempts (project_id, job_id, claim_no, attempt, outcome, started_at, at)
            VALUES (@ProjectId, @Id, 1, 1, 'failed', now(), now())
            """.With(arguments, token)
        );
        await transaction.CommitAsync(token);

        Assert.Empty((await reading).GetProperty("attempts").EnumerateArray());
        Assert.Single((await TestJobs.GetAsync(project, job.Id)).GetProperty("attempts").EnumerateArray());
    }

    private const string Waits = """
        SELECT EXISTS (
            SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE @Reader
        )
        """;
}
