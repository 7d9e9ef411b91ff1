using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.System;

public sealed class PrintConfigurationTests
{
    [Fact]
    public async Task Secrets_are_masked_and_the_command_line_wins()
    {
        var environment = new Dictionary<string, string>
        {
            ["ConnectionStrings__Bellhop"] = "Host=db;Username=bellhop;Password=canary",
            ["Bellhop__Listen"] = "127.0.0.1:7000",
        };

        var run = await CliProcess.RunAsync(environment, "config", "print", "--set", "Listen=127.0.0.1:7001");

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.DoesNotContain("canary", run.Output, StringComparison.Ordinal);
        Assert.Contains(
            "ConnectionStrings:Bellhop=Host=db;Username=bellhop;Password=***",
            run.Output,
            StringComparison.Ordinal
        );
        Assert.Contains("Bellhop:Listen=127.0.0.1:7001", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_setting_that_is_known_is_printed()
    {
        var refused = await CliProcess.RunAsync(
            new Dictionary<string, string>(),
            "config",
            "check",
            "--set",
            "Nonsense=1"
        );
        var known = refused.Output[(refused.Output.IndexOf("known are ", StringComparison.Ordinal) + 10)..];
        var settings = known.Split('\n')[0].TrimEnd('\r', '.').Split(", ");

        var run = await CliProcess.RunAsync(new Dictionary<string, string>(), "config", "print");

        Assert.Contains("Listen", settings);
        Assert.All(settings, key => Assert.Contains($"Bellhop:{key}=", run.Output, StringComparison.Ordinal));
    }
}
