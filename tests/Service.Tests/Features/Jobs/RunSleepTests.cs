using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class RunSleepTests(ServiceFixture service)
{
    [Fact]
    public async Task It_takes_as_long_as_it_was_told()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { Kind = "sleep", Args = """{"seconds":0.2}""" };
        await TestJobs.EnqueueAsync(service, job);

        var found = await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        var took = found.GetProperty("finished_at").GetDateTime() - found.GetProperty("claimed_at").GetDateTime();
        Assert.True(took.TotalSeconds >= 0.19, $"{took}");
        Assert.Equal(0.2, found.GetProperty("result").GetProperty("seconds").GetDouble());
    }

    [Theory]
    [InlineData("""{"seconds":601}""", "invalid")]
    [InlineData("""{"seconds":-1}""", "invalid")]
    [InlineData("""{"seconds":"long"}""", "invalid_args")]
    [InlineData("""{"minutes":1}""", "invalid_args")]
    public async Task Args_that_cannot_be_right_fail_it_at_once(string args, string code)
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { Kind = "sleep", Args = args };
        await TestJobs.EnqueueAsync(service, job);

        var found = await TestJobs.BecomeAsync(project, job.Id, "failed");

        Assert.Equal(code, found.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(1, found.GetProperty("attempt").GetInt32());
    }
}
