using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.System;

public sealed class GetInfoTests(ServiceFixture service)
{
    [Fact]
    public async Task Name_and_version_are_told_to_anyone()
    {
        using var client = service.NewClient();

        var text = await client.GetStringAsync("/v1/info", TestContext.Current.CancellationToken);

        Assert.Matches("^\\{\"name\":\"bellhop\",\"version\":\"[0-9.]+\"\\}$", text);
    }
}
