using System.Net;
using System.Net.Http.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class FreeJobTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private const string Lane = """
        UPDATE jobs SET lane = 'customer:42' WHERE project_id = @ProjectId AND id = @Id;
        UPDATE queues SET lane_limit = 1 WHERE project_id = @ProjectId
        """;

    private const string Parent =
        "INSERT INTO job_edges (project_id, parent_id, child_id) VALUES (@ProjectId, @Parent, @Id)";

    [Fact]
    public async Task A_job_that_was_held_runs_once_it_is_free()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        (await project.Http.CallAsync("POST", $"/v1/jobs/{job.Id}/hold")).Expect(HttpStatusCode.OK);
        await TestJobs.MakeDueAsync(project, job.Id);

        var free = (await FreeAsync(project, job.Id)).Expect(HttpStatusCode.OK).Body;

        Assert.Equal("ready", free.State());
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        Assert.Equal(1, await project.CountRecordsAsync("jobs.free"));
    }

    [Theory]
    [InlineData(Lane, "lane")]
    [InlineData(Parent, "jobs")]
    [InlineData($"{Lane};{Parent}", "jobs")]
    public async Task It_waits_for_what_it_waited_for_before(string set, string reason)
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        var parent = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job, parent);
        await TestJobs.ExecuteAsync(
            service.Database,
            set,
            new
            {
                ProjectId = project.Id,
                job.Id,
                Parent = parent.Id,
            }
        );
        (await project.Http.CallAsync("POST", $"/v1/jobs/{job.Id}/hold")).Expect(HttpStatusCode.OK);

        var free = (await FreeAsync(project, job.Id)).Expect(HttpStatusCode.OK).Body;

        Assert.Equal(("waiting", reason), (free.State(), free.GetProperty("wait_reason").GetString()));
    }

    [Fact]
    public async Task What_is_not_held_stays_as_it_is_and_what_is_over_is_409()
    {
        var project = await service.NewProjectAsync();
        var later = TestJobs.Later(project.Id);
        var done = TestJobs.Noop(project.Id);
        await TestJobs.EnqueueAsync(service, later, done);
        await TestJobs.BecomeAsync(project, done.Id, "succeeded");

        Assert.Equal("ready", (await FreeAsync(project, later.Id)).Expect(HttpStatusCode.OK).Body.State());
        Assert.Equal("job_finished", (await FreeAsync(project, done.Id)).Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal(0, await project.CountRecordsAsync("jobs.free"));
    }

    /// <summary>Without the duty that looks every five seconds.</summary>
    [Fact]
    public async Task A_job_whose_last_parent_ends_while_it_is_freed_goes_on_at_once()
    {
        await using var own = await OwnService.StartAsync(service, set: settings => settings with { Roles = ["api"] });
        using var http = new HttpClient { BaseAddress = own.Address };
        http.DefaultRequestHeaders.Authorization = new("Bearer", await own.NewKeyAsync(Roles.Owner));
        (await http.PutAsJsonAsync("/v1/queues/mail", new { }, Token)).EnsureSuccessStatusCode();
        var worker = new TestWorker(http, "mail");
        var callback = await worker.EnqueueAsync(new { held = true, on_parent_failure = "wait" });
        await worker.EnqueueAsync(new { blocks = new[] { callback } });
        var member = Assert.Single(await worker.ClaimAsync());
        await using (var scope = own.Services.CreateAsyncScope())
        {
            scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(own.ProjectId, "test"));
            await using var work = await scope.ServiceProvider.GetRequiredService<UnitOfWork>().ShareAsync(Token);
            var freed = await scope
                .ServiceProvider.GetRequiredService<IMediator>()
                .Send(new FreeJob.Command(callback), Token);
            Assert.Equal("jobs", freed.Unwrap().WaitReason);

            await worker.FinishAsync(TestWorker.End(member, "succeeded"));
            await Eventually.BeTrueAsync(
                () => TestJobs.QueryAsync<bool>(own.Database, "SELECT NOT EXISTS (SELECT FROM job_edges)", new { }),
                "its end was looked at"
            );
            await work.CommitAsync(Token);
        }

        Assert.Equal(callback, Assert.Single(await worker.ClaimAsync(wait: 20)).GetProperty("id").GetGuid());
        await own.StopAsync();
    }

    private static Task<Answer> FreeAsync(TestProject project, Guid id) =>
        project.Http.CallAsync("POST", $"/v1/jobs/{id}/free");
}
