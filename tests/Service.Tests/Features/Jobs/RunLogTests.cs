using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class RunLogTests(ServiceFixture service)
{
    [Fact]
    public async Task It_reports_what_it_logged()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { Kind = "log", Args = """{"message":"hello"}""" };
        await TestJobs.EnqueueAsync(service, job);

        var found = await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        Assert.Equal("hello", found.GetProperty("result").GetProperty("message").GetString());
    }

    [Fact]
    public async Task An_empty_message_fails_it()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { Kind = "log" };
        await TestJobs.EnqueueAsync(service, job);

        await TestJobs.BecomeAsync(project, job.Id, "failed");
    }
}
