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

    [Fact]
    public async Task Commands_for_jobs_are_held_to_their_form()
    {
        var environment = new Dictionary<string, string>
        {
            ["Bellhop__Shell__Commands__relative"] = "backup --full",
            ["Bellhop__Shell__Commands__maybe"] = "/bin/true",
            ["Bellhop__Shell__Commands__maybe__AllowArgs"] = "perhaps",
            ["Bellhop__Shell__Commands__named"] = "/bin/true",
            ["Bellhop__Shell__Commands__named__Projects"] = "shop",
            ["Bellhop__Shell__Commands__nobodys"] = "/bin/true",
            ["Bellhop__Shell__Commands__nobodys__Projects"] = ",",
            ["Bellhop__Shell__Commands__odd"] = "/bin/true",
            ["Bellhop__Shell__Commands__odd__User"] = "root",
        };

        var run = await CliProcess.RunAsync(environment, "config", "check");

        Assert.Equal(78, run.ExitCode);
        var faults = run
            .Output.Split('\n')
            .Select(line => line.Split(' ')[0].TrimEnd(':'))
            .Order(StringComparer.Ordinal);
        Assert.Equal(
            [
                "Bellhop:Shell:Commands:maybe:AllowArgs",
                "Bellhop:Shell:Commands:named:Projects",
                "Bellhop:Shell:Commands:nobodys:Projects",
                "Bellhop:Shell:Commands:odd:User",
                "Bellhop:Shell:Commands:relative",
            ],
            faults
        );
    }

    [Fact]
    public async Task A_command_whose_program_is_not_there_is_a_fault_where_jobs_are_executed()
    {
        var environment = CliProcess.On(service);
        environment["Bellhop__Shell__Commands__backup__0"] = "/nowhere/at/all";
        environment["Bellhop__Shell__Commands__backup__1"] = "two words";

        var worker = await CliProcess.RunAsync(environment, "config", "check");
        environment["Bellhop__Roles"] = "api";
        var api = await CliProcess.RunAsync(environment, "config", "check");

        Assert.Equal(
            (78, "Bellhop:Shell:Commands:backup: there is no program /nowhere/at/all."),
            (worker.ExitCode, worker.Output)
        );
        Assert.Equal((0, "The configuration is sound."), (api.ExitCode, api.Output));
    }
}
