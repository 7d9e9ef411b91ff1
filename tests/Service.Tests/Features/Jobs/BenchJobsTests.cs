using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class BenchJobsTests(ServiceFixture service)
{
    [Fact]
    public async Task It_makes_the_queue_one_of_the_service_drains_it_and_prints_how_fast()
    {
        var project = await service.NewProjectAsync();

        var run = await CliProcess.RunAsync(
            CliProcess.On(service),
            "bench",
            "jobs",
            "--count",
            "2500",
            "--queue",
            "q",
            "--project",
            project.Name
        );

        Assert.True(run.ExitCode == 0, run.Errors);
        var printed = JsonElement.Parse(run.Output);
        Assert.True(printed.GetProperty("enqueued_per_second").GetDouble() > 0);
        Assert.True(printed.GetProperty("drained_per_second").GetDouble() > 0);
        Assert.Equal(
            2500,
            await TestJobs.QueryAsync<long>(
                service.Database,
                "SELECT count(*) FROM job_history WHERE project_id = @Id AND outcome = 0",
                new { project.Id }
            )
        );
    }
}
