using System.Net;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class DeleteJobsTests(ServiceFixture service)
{
    [Fact]
    public async Task What_is_over_goes_with_its_attempts_and_what_is_not_stays()
    {
        var project = await service.NewProjectAsync();
        var failed = TestJobs.New(
            project.Id,
            (_, _) => Task.FromResult<JobOutcome>(new JobOutcome.Failed("broken", "It broke.", Retryable: false))
        );
        var later = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, failed, later);
        await TestJobs.BecomeAsync(project, failed.Id, "failed");

        var body = $$$"""{"filter":{"ids":["{{{failed.Id}}}","{{{later.Id}}}"]}}""";
        var answer = await ActAsync(project, body);

        Assert.Equal(1, answer.GetProperty("affected").GetInt32());
        (await project.Http.CallAsync("GET", $"/v1/jobs/{failed.Id}")).Expect(HttpStatusCode.NotFound);
        Assert.Equal("ready", (await TestJobs.GetAsync(project, later.Id)).State());
        Assert.Equal(
            0,
            await TestJobs.QueryAsync<long>(
                service.Database,
                "SELECT count(*) FROM job_attempts WHERE project_id = @Id",
                new { project.Id }
            )
        );
        Assert.Equal(1, await project.CountRecordsAsync("jobs.bulk-delete"));
    }

    [Fact]
    public async Task What_a_run_may_still_look_at_stays_for_an_hour()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { Continuation = new Continuation(JobQueue.Default, "noop", "{}") };
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        var body = $$$"""{"filter":{"ids":["{{{job.Id}}}"]}}""";

        Assert.Equal(0, (await ActAsync(project, body)).GetProperty("affected").GetInt32());
    }

    [Fact]
    public async Task Only_who_operates_deletes()
    {
        var project = await service.NewProjectAsync("viewer");

        (await project.Http.PostAsync("/v1/jobs/bulk/delete", """{"filter":{"kind":"noop"}}""")).Expect(
            HttpStatusCode.Forbidden
        );
    }

    private static async Task<JsonElement> ActAsync(TestProject project, string body) =>
        (await project.Http.PostAsync("/v1/jobs/bulk/delete", body)).Expect(HttpStatusCode.OK).Body;
}
