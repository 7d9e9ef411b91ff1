using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class MeasureQueuesTests(ServiceFixture service)
{
    [Fact]
    public async Task Depth_and_age_stand_in_the_metrics_by_queue_name()
    {
        var project = await service.NewProjectAsync();
        var queue = $"q{Guid.NewGuid():N}"[..12];
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO queues (project_id, name, served_by, retry) VALUES (@Id, @Queue, 'workers', '{}')
            """,
            new { project.Id, queue }
        );
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var due = TestJobs.Noop(project.Id) with { Queue = queue, RunAt = now.AddMinutes(-10) };
        await TestJobs.EnqueueAsync(
            service,
            due,
            TestJobs.Noop(project.Id) with
            {
                Queue = queue,
                RunAt = now.AddDays(1),
            }
        );

        await project.SendAsync(new MeasureQueues.Command());

        using var client = new HttpClient { BaseAddress = service.InternalAddress };
        var metrics = await client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Contains(
            $"bellhop_queue_depth{{queue=\"{queue}\",state=\"ready\"}} 2\n",
            metrics,
            StringComparison.Ordinal
        );
        Assert.Matches($"bellhop_queue_oldest_ready_age_seconds{{queue=\"{queue}\"}} 6[0-9][0-9]", metrics);
    }
}
