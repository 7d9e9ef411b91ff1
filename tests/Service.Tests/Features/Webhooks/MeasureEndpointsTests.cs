using Bellhop.Features.Webhooks;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class MeasureEndpointsTests(ServiceFixture service)
{
    [Fact]
    public async Task The_gauge_counts_the_endpoints()
    {
        var project = await service.NewProjectAsync();
        await TestWebhooks.CreateAsync(project, "http://127.0.0.1:9/hook");

        var report = (await project.SendAsync(new MeasureEndpoints.Command())).Unwrap();

        Assert.True(report.Active > 0);
    }
}
