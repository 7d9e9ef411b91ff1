using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.System;

public sealed class MigrateTests(ServiceFixture service)
{
    [Fact]
    public async Task A_schema_that_is_up_to_date_stays_as_it_is()
    {
        var run = await CliProcess.RunAsync(CliProcess.On(service), "migrate", "--json");

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.StartsWith("{\"applied\":[],\"schema\":\"", run.Output, StringComparison.Ordinal);
    }
}
