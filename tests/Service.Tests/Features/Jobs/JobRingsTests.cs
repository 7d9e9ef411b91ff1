using System.Net;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

/// <summary>Jobs that wait for themselves would do so for ever: whoever would close such a ring is refused.</summary>
public sealed class JobRingsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Whoever_would_wait_for_itself_is_422_and_not_stored(int between)
    {
        var (project, worker) = await StartAsync();
        var first = await worker.EnqueueAsync(new { held = true });
        var other = await worker.EnqueueAsync(new { held = true });
        var last = first;
        for (var count = 0; count < between; count++)
        {
            last = await worker.EnqueueAsync(new { held = count == 0, depends_on = new[] { last } });
        }

        var (status, problem) = await worker.PostAsync("/v1/jobs", Job([last], [other, first]));

        Assert.Equal((HttpStatusCode.UnprocessableEntity, "cycle"), (status, problem.GetProperty("code").GetString()));
        Assert.Equal("/blocks/1", Pointer(problem));
        Assert.Equal(2 + between, await CountAsync(project));
        foreach (var held in (Guid[])[first, other, last])
        {
            await worker.PostAsync($"/v1/jobs/{held}/free", new { });
        }

        Assert.Contains(first, (await worker.ClaimAsync(wait: 20)).Select(job => job.GetProperty("id").GetGuid()));
    }

    [Fact]
    public async Task Within_one_request_too_and_who_waits_for_one_that_is_refused_is_refused()
    {
        var (project, worker) = await StartAsync();
        var held = await worker.EnqueueAsync(new { held = true });
        object[] jobs = [Job([held], []), Job(["#0"], [held]), Job(["#1"], []), Job(["#0"], [])];

        var (_, all) = await worker.PostAsync("/v1/jobs/bulk?atomic=true", new { jobs });
        Assert.Equal(1, await CountAsync(project));
        var (_, each) = await worker.PostAsync("/v1/jobs/bulk", new { jobs });

        Assert.Equal("/jobs/1/blocks/0", Pointer(all));
        Assert.Equal(2, each.GetProperty("succeeded").GetInt32());
        Assert.Equal(
            [null, "cycle", "unknown_job", null],
            each.GetProperty("results").EnumerateArray().Select(Code).ToArray()
        );
        Assert.Equal(3, await CountAsync(project));
    }

    [Fact]
    public async Task Jobs_of_one_request_that_close_a_ring_together_are_refused()
    {
        var (project, worker) = await StartAsync();
        var (one, two) = (
            await worker.EnqueueAsync(new { held = true }),
            await worker.EnqueueAsync(new { held = true })
        );

        var (_, made) = await worker.PostAsync(
            "/v1/jobs/bulk",
            new { jobs = new[] { Job([one], [two]), Job([two], [one]) } }
        );

        Assert.Equal(["cycle", "cycle"], made.GetProperty("results").EnumerateArray().Select(Code).ToArray());
        Assert.Equal(2, await CountAsync(project));
    }

    [Fact]
    public async Task Whoever_waits_and_blocks_without_a_ring_is_taken_in()
    {
        var (_, worker) = await StartAsync();
        var first = await worker.EnqueueAsync(new { held = true });
        var callback = await worker.EnqueueAsync(new { held = true, depends_on = new[] { first } });
        var last = await worker.EnqueueAsync(new { held = true, depends_on = new[] { callback } });

        var (status, _) = await worker.PostAsync("/v1/jobs", Job([first], [callback, last]));
        var (_, made) = await worker.PostAsync(
            "/v1/jobs/bulk",
            new { jobs = new[] { Job([], [callback]), Job(["#0", first], [callback]), Job(["#0", "#1"], [last]) } }
        );

        Assert.Equal((HttpStatusCode.Created, 3), (status, made.GetProperty("succeeded").GetInt32()));
    }

    /// <summary>The second begins while the first is not committed, and shares no job with it.</summary>
    [Fact]
    public async Task Of_two_requests_that_close_a_ring_together_the_second_is_refused()
    {
        var (project, worker) = await StartAsync();
        var a = await worker.EnqueueAsync(new { held = true });
        var b = await worker.EnqueueAsync(new { held = true });
        var afterA = await worker.EnqueueAsync(new { depends_on = new[] { a } });
        var afterB = await worker.EnqueueAsync(new { depends_on = new[] { b } });
        await using var first = service.Services.CreateAsyncScope();
        await using var second = service.Services.CreateAsyncScope();
        await using var work = await ShareAsync(project, first);
        await using var late = await ShareAsync(project, second);

        Assert.Null((await EnqueueAsync(first, afterA, b)).Problem);
        var asked = EnqueueAsync(second, afterB, a);
        await Eventually.BeTrueAsync(
            async () =>
                asked.IsCompleted
                || await TestJobs.QueryAsync<bool>(
                    service.Database,
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND pid = @Pid)",
                    new { Pid = late.Connection.ProcessID }
                ),
            "the second is done or waits"
        );
        await work.CommitAsync(Token);

        Assert.Equal("cycle", (await asked).Problem?.Kind.Code);
    }

    [Fact]
    public async Task Where_too_many_wait_for_what_is_blocked_nobody_that_waits_is_put_before_it()
    {
        var (project, worker) = await StartAsync();
        var held = await worker.EnqueueAsync(new { held = true });
        var parent = await worker.EnqueueAsync(new { held = true });
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO job_edges (project_id, parent_id, child_id)
            SELECT @ProjectId, @Held, new_id() FROM generate_series(1, @Count)
            """,
            new
            {
                ProjectId = project.Id,
                Held = held,
                Count = JobRings.MaxBelow + 1,
            }
        );

        var (status, problem) = await worker.PostAsync("/v1/jobs", Job([parent], [held]));
        var (free, _) = await worker.PostAsync("/v1/jobs", Job([], [held]));

        Assert.Equal(
            (HttpStatusCode.UnprocessableEntity, "too_many_children"),
            (status, problem.GetProperty("code").GetString())
        );
        Assert.Equal("/blocks/0", Pointer(problem));
        Assert.Equal(HttpStatusCode.Created, free);
        await TestJobs.ExecuteAsync(
            service.Database,
            "DELETE FROM job_edges WHERE project_id = @Id",
            new { project.Id }
        );
    }

    private static object Job(object[] parents, Guid[] blocked) =>
        new
        {
            queue = "mail",
            kind = "letter",
            depends_on = parents,
            blocks = blocked,
        };

    private static string? Code(JsonElement item) =>
        item.TryGetProperty("problem", out var problem) ? problem.GetProperty("code").GetString() : null;

    private static string? Pointer(JsonElement problem) =>
        problem.GetProperty("errors")[0].GetProperty("pointer").GetString();

    private static async Task<Work> ShareAsync(TestProject project, AsyncServiceScope scope)
    {
        scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(project.Id, "test"));
        return await scope.ServiceProvider.GetRequiredService<UnitOfWork>().ShareAsync(Token);
    }

    private static Task<Result<EnqueueJob.Response>> EnqueueAsync(AsyncServiceScope scope, Guid parent, Guid blocked) =>
        scope
            .ServiceProvider.GetRequiredService<IMediator>()
            .Send(
                new EnqueueJob.Command(
                    new JobDocument("letter", Queue: "mail", DependsOn: [$"{parent}"], Blocks: [blocked])
                ),
                Token
            );

    private Task<int> CountAsync(TestProject project) =>
        TestJobs.QueryAsync<int>(
            service.Database,
            "SELECT count(*)::integer FROM jobs WHERE project_id = @Id",
            new { project.Id }
        );

    private async Task<(TestProject, TestWorker)> StartAsync()
    {
        var project = await service.NewProjectAsync();
        return (project, await TestWorker.ForAsync(project, "mail"));
    }
}
