using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Bellhop.Features.Jobs.Workers;
using Bellhop.Features.Jobs.Workers.Checking;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class CheckWorkerTests(ServiceFixture service)
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(5);

    private static readonly string[] Command = [Path.Combine(WorkerProcess.Folder, "check.sh")];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_workers_that_others_are_written_after_keep_all_rules()
    {
        var checks = await Task.WhenAll(
            CheckAsync("worker.sh"),
            CheckAsync("worker.py"),
            CheckAsync(WorkerProcess.Exec, 3)
        );

        Assert.All(checks, rules => Assert.True(rules.Count >= 10, $"{rules.Count} rules"));
        Assert.Empty(checks.SelectMany(rules => rules.Where(rule => !rule.IsKept)));
    }

    [Fact]
    [Trait("Category", "nightly")]
    public async Task Of_a_worker_with_one_fault_that_rule_is_broken_and_no_other()
    {
        var faults = new (string Rule, string Right, string Wrong)[]
        {
            ("retries_claim", "claim_key = claim_key or str(uuid.uuid4())", "claim_key = str(uuid.uuid4())"),
            ("retries_finish", "(not status or status in (408, 429) or status >= 500)", "False"),
            ("stops_lost", "else told[\"status\"]", "else told[\"status\"].replace(\"lost\", \"ok\")"),
            ("stops_canceled", "else told[\"status\"]", "else told[\"status\"].replace(\"cancel\", \"ok\")"),
            ("goes_quiet", "if directive == \"quiet\"", "if False"),
            ("stops_unheard", "and order == \"ok\" and now() < job[\"ends\"]", "and order == \"ok\""),
        };

        var broken = await Task.WhenAll(
            faults.Select(async fault =>
            {
                using var script = new Variant(fault.Right, fault.Wrong);
                var rules = await CheckAsync(script.Path);
                return string.Join(", ", rules.Where(rule => !rule.IsKept).Select(rule => rule.Rule));
            })
        );

        Assert.Equal(faults.Select(fault => fault.Rule), broken);
    }

    [Fact]
    public async Task Where_no_worker_comes_it_says_so_and_a_port_that_is_taken_too()
    {
        var url = $"http://127.0.0.1:{ServiceProcess.FreePort()}";

        var alone = await CliProcess.RunAsync(
            CliProcess.On(service),
            "worker",
            "check",
            "--url",
            url,
            "--patience",
            "1"
        );
        var taken = await CliProcess.RunAsync(
            CliProcess.On(service),
            "worker",
            "check",
            "--url",
            service.Address.GetLeftPart(UriPartial.Authority)
        );

        Assert.Equal(1, alone.ExitCode);
        Assert.Contains($"BELLHOP_URL={url} BELLHOP_KEY=check-", alone.Errors, StringComparison.Ordinal);
        Assert.StartsWith("FAIL  works", alone.Output, StringComparison.Ordinal);
        Assert.Contains("no worker came", alone.Output, StringComparison.Ordinal);
        Assert.Equal((75, ""), (taken.ExitCode, taken.Output));
        Assert.StartsWith("port_taken", taken.Errors, StringComparison.Ordinal);
    }

    private async Task<IReadOnlyList<RuleReport>> CheckAsync(string program, int slots = 1)
    {
        var url = new Uri($"http://127.0.0.1:{ServiceProcess.FreePort()}");
        var told = new ConcurrentQueue<string>();
        var check = service.SendAsync(Guid.Empty, new CheckWorker.Query(url.AbsoluteUri, 60, told.Enqueue));
        await Eventually.BeTrueAsync(() => Task.FromResult(!told.IsEmpty || check.IsCompleted), "it listens");
        Assert.True(told.TryPeek(out var where), $"{check}");
        var key = Regex.Match(where, "BELLHOP_KEY=([^,]+),").Groups[1].Value;
        await using var worker = WorkerProcess.Start(program, url, key, "check", Command, slots: slots);
        var response = (await check.WaitAsync(Long, Token)).Unwrap();
        return response.Rules;
    }

    /// <summary>The worker in Python with one thing that is wrong.</summary>
    private sealed class Variant : IDisposable
    {
        public Variant(string right, string wrong)
        {
            var script = File.ReadAllText(global::System.IO.Path.Combine(WorkerProcess.Folder, "worker.py"));
            Assert.Contains(right, script, StringComparison.Ordinal);
            Path = global::System.IO.Path.GetTempFileName();
            File.WriteAllText(Path, script.Replace(right, wrong, StringComparison.Ordinal));
            File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        public string Path { get; }

        public void Dispose() => File.Delete(Path);
    }
}
