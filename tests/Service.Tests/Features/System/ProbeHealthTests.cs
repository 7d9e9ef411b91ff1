using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.System;

public sealed class ProbeHealthTests(ServiceFixture service)
{
    [Theory]
    [InlineData("health")]
    [InlineData("health", "--live")]
    public async Task A_service_that_is_well_is_0(params string[] words)
    {
        var run = await CliProcess.RunAsync(CliProcess.On(service), words);

        Assert.Equal((0, "ok", ""), (run.ExitCode, run.Output, run.Errors));
    }

    [Fact]
    public async Task A_service_that_does_not_run_is_1()
    {
        var environment = CliProcess.On(service);
        environment["Bellhop__InternalListen"] = $"127.0.0.1:{ServiceProcess.FreePort()}";

        var run = await CliProcess.RunAsync(environment, "health", "--live");

        Assert.Equal(1, run.ExitCode);
        Assert.StartsWith("unreachable", run.Output, StringComparison.Ordinal);
    }
}
