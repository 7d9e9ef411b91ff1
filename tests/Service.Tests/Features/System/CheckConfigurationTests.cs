using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.System;

public sealed class CheckConfigurationTests(ServiceFixture service)
{
    [Fact]
    public async Task All_faults_are_told_at_once_with_exit_code_78()
    {
        var environment = new Dictionary<string, string>
        {
            ["Bellhop__Listen"] = "nowhere",
            ["Bellhop__Roles"] = "king",
            ["Bellhop__Lisen"] = "127.0.0.1:1",
        };

        var run = await CliProcess.RunAsync(environment, "config", "check");

        Assert.Equal(78, run.ExitCode);
        Assert.Contains("Bellhop:Listen", run.Output, StringComparison.Ordinal);
        Assert.Contains("Bellhop:Roles", run.Output, StringComparison.Ordinal);
        Assert.Contains("Bellhop:Lisen is not a setting", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_and_a_key_ring_that_fit_are_sound()
    {
        var run = await CliProcess.RunAsync(CliProcess.On(service), "config", "check");

        Assert.Equal((0, "The configuration is sound."), (run.ExitCode, run.Output));
    }

    [Fact]
    public async Task A_server_that_cannot_be_reached_is_a_fault()
    {
        var environment = CliProcess.On(service);
        environment["ConnectionStrings__Bellhop"] = $"Host=127.0.0.1;Port={ServiceProcess.FreePort()};Username=x";

        var run = await CliProcess.RunAsync(environment, "config", "check");

        Assert.Equal(78, run.ExitCode);
        Assert.StartsWith("ConnectionStrings:Bellhop: ", run.Output, StringComparison.Ordinal);
    }
}
