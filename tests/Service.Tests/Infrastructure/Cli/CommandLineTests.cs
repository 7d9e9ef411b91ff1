using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Cli;

public sealed class CommandLineTests(ServiceFixture service)
{
    [Theory]
    [InlineData(2, "bogus")]
    [InlineData(2, "api-keys", "create", "--name", "x")]
    [InlineData(2, "projects", "create", "--name", "x", "--nmae", "y")]
    [InlineData(2, "jobs", "list", "--set", "nonsense")]
    [InlineData(2, "events", "send", "--type", "a", "--data", "{")]
    [InlineData(3, "jobs", "list", "--project", "nobodys")]
    [InlineData(4, "projects", "create", "--name", "NOT A SLUG")]
    [InlineData(4, "projects", "create", "--name", "default")]
    [InlineData(78, "jobs", "list", "--set", "Lisen=1")]
    [InlineData(75, "jobs", "list", "--set", "ConnectionStrings:Bellhop=Host=127.0.0.1;Port=1;Username=x")]
    public async Task An_expected_fault_has_its_exit_code_and_no_stack(int exitCode, params string[] words)
    {
        var run = await CliProcess.RunAsync(CliProcess.On(service), words);

        Assert.Equal((exitCode, ""), (run.ExitCode, run.Output));
        Assert.NotEmpty(run.Errors);
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_that_was_sent_is_there_for_the_API_and_sent_again_is_a_duplicate()
    {
        var project = await service.NewProjectAsync();
        string[] words =
        [
            "events",
            "send",
            "--project",
            project.Name,
            "--type",
            "ticket.created",
            "--source",
            "shop",
            "--id",
            "1",
            "--data",
            """{"text":"hello"}""",
            "--json",
        ];

        var first = await CliProcess.RunAsync(CliProcess.On(service), words);
        var again = await CliProcess.RunAsync(CliProcess.On(service), words);

        Assert.Equal((0, ""), (first.ExitCode, first.Errors));
        using var sent = JsonDocument.Parse(first.Output);
        var id = sent.RootElement.GetProperty("id").GetGuid();
        Assert.Equal($$"""{"id":"{{id}}","duplicate":true}""", again.Output);
        using var answer = await project.Http.GetAsync($"/v1/events/{id}", TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode);
    }

    [Fact]
    public async Task Every_command_has_a_sentence_in_the_help()
    {
        var run = await CliProcess.RunAsync(CliProcess.On(service), "--help");

        Assert.Equal(0, run.ExitCode);
        foreach (var word in new[] { "serve", "migrate", "config", "projects", "api-keys", "events", "jobs", "health" })
        {
            Assert.Matches($@"(?m)^  {word} +\S", run.Output);
        }
    }
}
