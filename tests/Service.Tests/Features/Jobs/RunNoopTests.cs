using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class RunNoopTests(ServiceFixture service)
{
    [Fact]
    public async Task It_succeeds_whatever_its_args()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Noop(project.Id) with { Args = """{"anything":[1,2]}""" };
        await TestJobs.EnqueueAsync(service, job);

        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
    }
}
