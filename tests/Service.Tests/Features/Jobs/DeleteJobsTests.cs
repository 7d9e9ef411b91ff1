using System.Net;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class DeleteJobsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

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
    public async Task What_others_wait_for_stays_until_they_do_not()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var parent = await worker.EnqueueAsync(new { held = true });
        var child = await worker.EnqueueAsync(new { depends_on = new[] { parent }, on_parent_failure = "wait" });
        (await project.Http.PostAsync($"/v1/jobs/{parent}/cancel", "{}")).Expect(HttpStatusCode.OK);
        var body = $$$"""{"filter":{"ids":["{{{parent}}}"]}}""";

        var kept = await ActAsync(project, body);

        Assert.Equal(0, kept.GetProperty("affected").GetInt32());
        var refused = Assert.Single(kept.GetProperty("refused").EnumerateArray());
        Assert.Equal(
            (parent, "has_children"),
            (refused.GetProperty("id").GetGuid(), refused.GetProperty("code").GetString())
        );
        (await project.Http.PostAsync($"/v1/jobs/{child}/cancel", "{}")).Expect(HttpStatusCode.OK);
        Assert.Equal(1, (await ActAsync(project, body)).GetProperty("affected").GetInt32());
    }

    /// <summary>It is being put after the job at the moment at which that is to be deleted.</summary>
    [Fact]
    public async Task Who_is_enqueued_at_the_same_moment_keeps_what_it_waits_for()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var parent = await worker.EnqueueAsync(new { held = true });
        await worker.EnqueueAsync(new { depends_on = new[] { parent }, on_parent_failure = "wait" });
        (await project.Http.PostAsync($"/v1/jobs/{parent}/cancel", "{}")).Expect(HttpStatusCode.OK);
        await Eventually.BeTrueAsync(
            () =>
                TestJobs.QueryAsync<bool>(
                    service.Database,
                    "SELECT bool_and(is_broken) FROM job_edges WHERE project_id = @Id",
                    new { project.Id }
                ),
            "its end was looked at"
        );
        await TestJobs.ExecuteAsync(
            service.Database,
            "DELETE FROM job_edges WHERE project_id = @Id",
            new { project.Id }
        );
        await using var scope = service.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(project.Id, "test"));
        await using var work = await scope.ServiceProvider.GetRequiredService<UnitOfWork>().ShareAsync(Token);
        var late = new JobDocument("letter", Queue: "mail", DependsOn: [$"{parent}"], OnParentFailure: "wait");
        (
            await scope.ServiceProvider.GetRequiredService<IMediator>().Send(new EnqueueJob.Command(late), Token)
        ).Unwrap();

        var deletion = ActAsync(project, $$$"""{"filter":{"ids":["{{{parent}}}"]}}""");
        await Eventually.BeTrueAsync(
            async () =>
                deletion.IsCompleted
                || await TestJobs.QueryAsync<bool>(
                    service.Database,
                    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE @Pid = ANY (pg_blocking_pids(pid)))",
                    new { Pid = work.Connection.ProcessID }
                ),
            "the deletion is done or waits"
        );
        await work.CommitAsync(Token);

        Assert.Equal("has_children", (await deletion).GetProperty("refused")[0].GetProperty("code").GetString());
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
