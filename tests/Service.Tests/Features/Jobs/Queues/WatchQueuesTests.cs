using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class WatchQueuesTests(ServiceFixture service)
{
    [Fact]
    public async Task One_table_has_a_line_for_each_queue()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"refunds","max_running":4}""");
        await project.Http.PostAsync("/v1/queues/refunds/pause", "");
        await TestJobs.EnqueueAsync(service, TestJobs.Noop(project.Id) with { Queue = "refunds" });

        var run = await RunAsync("queues", "top", "--once", "--project", project.Name);

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.Matches(@"queue\W+served by\W+ready\W+running\W+oldest\W+started/min\W+failed/min\W+paused", run.Output);
        Assert.Matches(@"refunds\W+workers\W+1\W+0/4\W+\d+s\W+0\W+0\W+paused", run.Output);
        Assert.Matches(@"webhooks\W+service\W+0", run.Output);
    }

    [Fact]
    public async Task Asked_for_JSON_it_prints_the_figures()
    {
        var project = await service.NewProjectAsync();

        var run = await RunAsync("queues", "top", "--once", "--json", "--project", project.Name);

        var queues = JsonElement.Parse(run.Output).GetProperty("queues").EnumerateArray();
        Assert.Equal(
            ["automations", "default", "webhooks"],
            queues.Select(queue => queue.GetProperty("name").GetString())
        );
    }

    [Fact]
    public async Task The_other_verbs_do_what_the_API_does()
    {
        var project = await service.NewProjectAsync();
        string[] at = ["--project", project.Name];

        var made = await RunAsync(["queues", "create", "--name", "q", "--rate", "100/60/5", .. at]);
        var again = await RunAsync(["queues", "create", "--name", "q", .. at]);
        var set = await RunAsync(["queues", "set", "--name", "q", "--max-running", "3", "--rate", "none", .. at]);
        var wrong = await RunAsync(["queues", "set", "--name", "q", "--weight", "0", .. at]);
        var paused = await RunAsync(["queues", "pause", "--name", "q", .. at]);
        var listed = await RunAsync(["queues", "list", .. at]);
        var resumed = await RunAsync(["queues", "resume", "--name", "q", .. at]);
        var shown = await RunAsync(["queues", "show", "--name", "q", "--json", .. at]);
        var deleted = await RunAsync(["queues", "delete", "--name", "q", .. at]);
        var missing = await RunAsync(["queues", "show", "--name", "q", .. at]);
        var builtIn = await RunAsync(["queues", "delete", "--name", "default", .. at]);

        Assert.Contains("""rate	{"count":100,"seconds":60,"burst":5}""", made.Output, StringComparison.Ordinal);
        Assert.Equal(4, again.ExitCode);
        Assert.Contains("max_running\t3", set.Output, StringComparison.Ordinal);
        Assert.Equal(4, wrong.ExitCode);
        Assert.Contains("/weight", wrong.Errors, StringComparison.Ordinal);
        Assert.Equal("q paused", paused.Output);
        Assert.StartsWith("q\tworkers\tpaused\n", listed.Output, StringComparison.Ordinal);
        Assert.Equal("q active", resumed.Output);
        var queue = JsonElement.Parse(shown.Output);
        Assert.Equal(3, queue.GetProperty("max_running").GetInt32());
        Assert.Equal("null", queue.GetProperty("rate").GetRawText());
        Assert.Equal((0, "q deleted"), (deleted.ExitCode, deleted.Output));
        Assert.Equal(3, missing.ExitCode);
        Assert.Equal(4, builtIn.ExitCode);
        Assert.Contains("queue_built_in", builtIn.Errors, StringComparison.Ordinal);
    }

    private Task<CliProcess> RunAsync(params string[] words) => CliProcess.RunAsync(CliProcess.On(service), words);
}
