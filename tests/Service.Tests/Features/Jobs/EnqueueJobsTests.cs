using System.Net;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class EnqueueJobsTests(ServiceFixture service)
{
    private const string Mixed = """
        {"jobs":[
            {"kind":"noop","run_at":"2090-01-01T00:00:00Z"},
            {"kind":"noop","queue":"nowhere"},
            {"kind":"noop","colour":"red"},
            {"kind":"unheard-of"},
            {"kind":"noop","priority":9,"run_at":"2090-01-01T00:00:00Z"},
            {"kind":"noop","run_at":"2090-01-01T00:00:00Z"}
        ]}
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_job_is_stored_or_refused_by_itself()
    {
        var project = await service.NewProjectAsync();

        var answer = (await project.Http.PostAsync("/v1/jobs/bulk", Mixed)).Expect(HttpStatusCode.OK);

        var results = answer.Body.GetProperty("results").EnumerateArray().ToArray();
        Assert.Equal([201, 422, 400, 422, 422, 201], results.Select(result => result.GetProperty("status").GetInt32()));
        Assert.Equal([0, 1, 2, 3, 4, 5], results.Select(result => result.GetProperty("index").GetInt32()));
        Assert.Equal(
            (2, 4),
            (answer.Body.GetProperty("succeeded").GetInt32(), answer.Body.GetProperty("failed").GetInt32())
        );
        Assert.Equal(
            ["unknown_queue", "malformed_body", "unknown_kind", "invalid"],
            results[1..5].Select(result => result.GetProperty("problem").GetProperty("code").GetString())
        );
        Assert.Equal(
            "/colour",
            results[2].GetProperty("problem").GetProperty("errors")[0].GetProperty("pointer").GetString()
        );
        Assert.Equal(
            [results[0].GetProperty("id").GetGuid(), results[5].GetProperty("id").GetGuid()],
            await IdsAsync(project)
        );
    }

    [Fact]
    public async Task Atomic_stores_all_or_none_and_points_at_what_is_wrong()
    {
        var project = await service.NewProjectAsync();

        var refused = await project.Http.PostAsync("/v1/jobs/bulk?atomic=true", Mixed);
        Assert.Empty(await IdsAsync(project));
        var taken = await project.Http.PostAsync(
            "/v1/jobs/bulk?atomic=true",
            """{"jobs":[{"kind":"noop","run_at":"2090-01-01T00:00:00Z"},{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}]}"""
        );

        Assert.Equal((422, "invalid"), ((int)refused.Status, refused.Code));
        Assert.Equal(
            ["/jobs/1/queue", "/jobs/2/colour", "/jobs/3/kind", "/jobs/4/priority"],
            refused
                .Body.GetProperty("errors")
                .EnumerateArray()
                .Select(error => error.GetProperty("pointer").GetString())
        );
        Assert.Equal(HttpStatusCode.OK, taken.Status);
        Assert.Equal(2, (await IdsAsync(project)).Length);
    }

    [Fact]
    public async Task A_repetition_with_the_key_is_done_once()
    {
        var project = await service.NewProjectAsync();

        var first = await project.Http.PostAsync("/v1/jobs/bulk", Mixed, "bulk-1");
        var second = await project.Http.PostAsync("/v1/jobs/bulk", Mixed, "bulk-1");

        Assert.Equal((first.Text, true), (second.Text, second.IsReplayed));
        Assert.Equal(2, (await IdsAsync(project)).Length);
    }

    [Theory]
    [InlineData("{}", "required")]
    [InlineData("""{"jobs":[]}""", "out_of_range")]
    public async Task There_is_something_to_do(string body, string code)
    {
        var answer = await (await service.NewProjectAsync()).Http.PostAsync("/v1/jobs/bulk", body);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.Status);
        var error = answer.Body.GetProperty("errors")[0];
        Assert.Equal(
            ("/jobs", code),
            (error.GetProperty("pointer").GetString(), error.GetProperty("code").GetString())
        );
    }

    [Fact]
    public async Task A_thousand_are_taken_and_one_more_is_not()
    {
        var project = await service.NewProjectAsync();
        var job = """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""";

        var most = await project.Http.PostAsync(
            "/v1/jobs/bulk",
            $$"""{"jobs":[{{string.Join(',', Enumerable.Repeat(job, 1000))}}]}"""
        );
        var more = await project.Http.PostAsync(
            "/v1/jobs/bulk",
            $$"""{"jobs":[{{string.Join(',', Enumerable.Repeat(job, 1001))}}]}"""
        );

        Assert.Equal(1000, most.Body.GetProperty("succeeded").GetInt32());
        Assert.Equal(HttpStatusCode.UnprocessableEntity, more.Status);
        Assert.Equal(1000, (await IdsAsync(project)).Length);
    }

    private static async Task<Guid[]> IdsAsync(TestProject project)
    {
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        return
        [
            .. await connection.QueryAsync<Guid>(
                "SELECT id FROM jobs WHERE project_id = @Id ORDER BY seq",
                new { project.Id }
            ),
        ];
    }
}
