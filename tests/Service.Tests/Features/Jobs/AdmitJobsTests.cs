using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class AdmitJobsTests(ServiceFixture service)
{
    /// <summary>With the signals off: what nobody was told of is found.</summary>
    [Fact]
    public async Task A_lane_with_room_that_plain_sql_or_a_process_that_died_left_is_found()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail", new { lane_limit = 1 });
        await worker.EnqueueAsync(new { lane = "a" });
        Assert.Single(await worker.ClaimAsync(wait: 20));
        var id = await worker.EnqueueAsync(new { lane = "a" });
        await TestJobs.ExecuteAsync(
            service.Database,
            "DELETE FROM jobs WHERE project_id = @ProjectId AND id <> @Id",
            new { ProjectId = project.Id, Id = id }
        );

        await service.SendAsync(project.Id, new AdmitJobs.Command());

        Assert.Equal(id, Assert.Single(await worker.ClaimAsync(wait: 20)).GetProperty("id").GetGuid());
    }

    [Fact]
    public async Task The_end_of_a_parent_that_nobody_was_told_of_is_found()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var parent = await worker.EnqueueAsync();
        var child = await worker.EnqueueAsync(new { depends_on = new[] { parent } });
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET has_children = false WHERE project_id = @Id",
            new { project.Id }
        );
        await worker.FinishAsync(TestWorker.End(Assert.Single(await worker.ClaimAsync()), "succeeded"));

        await service.SendAsync(project.Id, new AdmitJobs.Command());

        Assert.Equal(child, Assert.Single(await worker.ClaimAsync(wait: 20)).GetProperty("id").GetGuid());
    }
}
