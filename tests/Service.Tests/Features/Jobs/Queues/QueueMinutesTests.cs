using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Queues;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class QueueMinutesTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_counted_is_stored_when_the_process_stops()
    {
        await using var own = await OwnService.StartAsync(service, shutdownGraceSeconds: 5);
        var jobs = Enumerable.Range(0, 20).Select(_ => TestJobs.Noop(own.ProjectId)).ToArray();
        await TestJobs.EnqueueAsync(own.Database, own.Services, jobs);
        await Eventually.BeTrueAsync(
            async () =>
                await TestJobs.QueryAsync<long>(own.Database, "SELECT count(*) FROM job_history", new { }) == 20,
            "all have ended"
        );

        await own.StopAsync();

        Assert.Equal((20, 20, 1), await SumAsync(own));
    }

    [Fact]
    public async Task Stored_again_it_is_the_same_and_another_process_adds_to_it()
    {
        await using var own = await OwnService.StartAsync(service);
        await own.StopAsync();
        var job = Claimed(own.ProjectId, 1);
        var first = New(own);
        var second = New(own);

        first.CountStarted(job, 0.5);
        await first.StoreAsync(Token);
        await first.StoreAsync(Token);
        first.CountStarted(job, 0.5);
        first.CountEnded(job, "succeeded");
        await first.StoreAsync(Token);
        second.CountStarted(job, 0.5);
        await second.StoreAsync(Token);

        Assert.Equal((3, 1, 2), await SumAsync(own));
    }

    [Fact]
    public async Task Of_many_who_count_at_once_nothing_is_missed()
    {
        await using var own = await OwnService.StartAsync(service);
        await own.StopAsync();
        var minutes = New(own);

        await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(number =>
                    Task.Run(
                        async () =>
                        {
                            for (var round = 0; round < 2_000; round++)
                            {
                                minutes.CountStarted(Claimed(own.ProjectId, number % 2), 0);
                                if (round % 500 == 0)
                                {
                                    await minutes.StoreAsync(Token);
                                }
                            }
                        },
                        Token
                    )
                )
        );
        await minutes.StoreAsync(Token);

        Assert.Equal((16_000, 0, 1), await SumAsync(own));
    }

    [Fact]
    public async Task A_lease_that_ended_without_a_word_is_counted_as_lost()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"q"}""");
        var job = TestJobs.Noop(project.Id) with { Queue = "q" };
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET state = 2, lease_until = now() - interval '1 second' WHERE project_id = @Project AND id = @Id",
            new { Project = project.Id, job.Id }
        );

        await project.SendAsync(new RescueJobs.Command());

        await Eventually.FitAsync(
            async () =>
            {
                await service.Services.GetRequiredService<QueueMinutes>().StoreAsync(Token);
                return (await project.Http.CallAsync("GET", "/v1/queues/q/stats")).Body.GetProperty("minutes");
            },
            minutes => minutes.EnumerateArray().Sum(minute => minute.GetProperty("lost").GetInt64()) == 1
        );
    }

    private static QueueMinutes New(OwnService own) => ActivatorUtilities.CreateInstance<QueueMinutes>(own.Services);

    private static ClaimedJob Claimed(Guid projectId, long queueId) =>
        new(projectId, Guid.CreateVersion7(), queueId, "q", "noop", 1, 1, 1, 0, "{}", null);

    // not what other tests' times make of it: all minutes there are
    private static Task<(long Started, long Succeeded, long Processes)> SumAsync(OwnService own) =>
        TestJobs.QueryAsync<(long, long, long)>(
            own.Database,
            "SELECT sum(started)::bigint, sum(succeeded)::bigint, count(DISTINCT process_id) FROM queue_minutes",
            new { }
        );
}
