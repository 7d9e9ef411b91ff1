using System.Globalization;
using System.Text.Json;
using Bellhop.Tests.Features.Jobs.Logs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

/// <summary>What <c>bellhop worker exec</c> does beyond the scripts; the rest is in <see cref="ReferenceWorkerTests"/>.</summary>
public sealed class RunWorkerTests(ServiceFixture service)
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task Slots_are_filled_and_a_program_knows_its_job_and_not_the_key()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "letters");
        var ids = new List<Guid>();
        for (var index = 0; index < 4; index++)
        {
            ids.Add(await worker.EnqueueAsync());
        }

        var folder = Directory.CreateTempSubdirectory("bellhop-slots-").FullName;
        const string Handler = """
            touch "$FOLDER/$BELLHOP_JOB_ID"
            until [ "$(ls "$FOLDER" | wc -l)" -ge 4 ]; do sleep 0.05; done
            printf '{"id":"%s","kind":"%s","attempt":%s,"fence":%s,"key":"%s"}' \
                "$BELLHOP_JOB_ID" "$BELLHOP_KIND" "$BELLHOP_ATTEMPT" "$BELLHOP_CLAIM_NO" "$BELLHOP_KEY$Bellhop__Listen"
            """;
        await using var process = WorkerProcess.Start(
            WorkerProcess.Exec,
            service.Address,
            project.Key,
            "letters",
            ["sh", "-c", Handler],
            new Dictionary<string, string> { ["FOLDER"] = folder },
            slots: 4
        );

        foreach (var id in ids)
        {
            var job = await Eventually.FitAsync(
                () => TestJobs.GetAsync(project, id),
                job => job.State() == "succeeded",
                Long
            );
            var result = job.GetProperty("result");
            Assert.Equal(id, result.GetProperty("id").GetGuid());
            Assert.Equal(
                ("letter", 1),
                (result.GetProperty("kind").GetString(), result.GetProperty("attempt").GetInt32())
            );
            Assert.Equal((1, ""), (result.GetProperty("fence").GetInt64(), result.GetProperty("key").GetString()));
        }

        Assert.DoesNotContain(project.Key, process.CommandLine, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task What_a_failed_program_said_last_is_its_message_and_a_long_result_is_whole()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "letters");
        var failed = await worker.EnqueueAsync(new { args = new { size = 0 }, retry = new { max_attempts = 1 } });
        var fits = await worker.EnqueueAsync(new { args = new { size = 260_000 } });
        var toolong = await worker.EnqueueAsync(new { args = new { size = 270_000 } });
        const string Handler = """
            size=$(sed 's/[^0-9]//g')
            [ "$size" -gt 0 ] || { echo 'no such letter' >&2; exit 4; }
            printf '"'; head -c "$size" /dev/zero | tr '\0' x; printf '"'
            """;
        await using var process = WorkerProcess.Start(
            WorkerProcess.Exec,
            service.Address,
            project.Key,
            "letters",
            ["sh", "-c", Handler]
        );

        var error = (await BecomeAsync(project, failed, "failed")).GetProperty("error");
        var result = (await BecomeAsync(project, fits, "succeeded")).GetProperty("result").GetString()!;
        var none = await BecomeAsync(project, toolong, "succeeded");

        Assert.Equal("exit_4", error.GetProperty("code").GetString());
        Assert.Equal("The command ended with exit code 4: no such letter", error.GetProperty("message").GetString());
        Assert.Equal(260_000, result.Length);
        Assert.True(none.IsNull("result"));
    }

    [Fact]
    public async Task What_a_program_writes_to_stderr_is_in_its_jobs_log_while_it_runs_and_whole_at_the_end()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "letters");
        var id = await worker.EnqueueAsync();
        using var folder = new TemporaryFolder();
        const string Handler = """
            echo 'starting with Zoë' >&2
            until [ -e "$GATE" ]; do sleep 0.05; done
            seq 450 >&2
            printf 'without an end' >&2
            """;
        await using var process = Start(project, Handler, new() { ["GATE"] = folder.PathOf("gate") });

        var first = await Eventually.FitAsync(() => TestLogs.ReadAsync(project, id), lines => lines.Count > 0, Long);
        Assert.Equal(("warning", "starting with Zoë"), (Assert.Single(first).Level, first[0].Text));
        await File.WriteAllTextAsync(folder.PathOf("gate"), "", TestContext.Current.CancellationToken);
        await BecomeAsync(project, id, "succeeded");

        var lines = await TestLogs.ReadAsync(project, id);
        string[] all = ["starting with Zoë", .. Enumerable.Range(1, 450).Select(n => $"{n}"), "without an end"];
        Assert.Equal(all, lines.Select(line => line.Text));
    }

    [Fact]
    public async Task A_program_that_writes_faster_than_is_stored_loses_lines_and_the_log_says_how_many()
    {
        const int Count = 30_000;
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "letters");
        var id = await worker.EnqueueAsync();
        await using var process = Start(project, $"seq {Count} >&2", []);

        await BecomeAsync(project, id, "succeeded");

        const string Mark = "lines left out: ";
        var place = 0;
        var marks = 0;
        foreach (var text in (await TestLogs.ReadAsync(project, id)).Select(line => line.Text))
        {
            var isMark = text.StartsWith(Mark, StringComparison.Ordinal);
            place += isMark ? int.Parse(text.AsSpan(Mark.Length), CultureInfo.InvariantCulture) : 1;
            marks += isMark ? 1 : 0;
            Assert.True(isMark || text == $"{place}", $"{text} stands where {place} was written");
        }

        Assert.Equal(Count, place);
        Assert.NotEqual(0, marks);
    }

    [Fact]
    public async Task What_was_written_before_a_job_is_given_back_stays_in_its_log()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "letters");
        var id = await worker.EnqueueAsync();
        using var folder = new TemporaryFolder();
        const string Handler = """
            trap 'echo "told to stop" >&2; exit 1' TERM
            touch "$BEGUN"
            while :; do sleep 0.05; done
            """;
        await using var process = Start(project, Handler, new() { ["BEGUN"] = folder.PathOf("begun") });
        await Eventually.BeTrueAsync(() => Task.FromResult(File.Exists(folder.PathOf("begun"))), "it runs", Long);

        await process.SignalAsync("TERM");

        Assert.Equal(0, await process.ExitAsync());
        Assert.Equal("ready", (await TestJobs.GetAsync(project, id)).State());
        Assert.Equal("told to stop", (await TestLogs.ReadAsync(project, id))[^1].Text); // the shell may say a word before
    }

    [Theory]
    [InlineData("", "true", "BELLHOP_KEY")]
    [InlineData("bh_x", "no-such-program-anywhere", "no such program")]
    [InlineData("bh_x", "true", "unauthenticated")]
    public async Task What_cannot_work_is_refused_at_the_start(string key, string program, string word)
    {
        var environment = CliProcess.On(service);
        environment["BELLHOP_KEY"] = key;
        environment["BELLHOP_URL"] = service.Address.AbsoluteUri;

        var run = await CliProcess.RunAsync(environment, "worker", "exec", "--queue", "letters", "--", program);

        Assert.Equal((4, ""), (run.ExitCode, run.Output));
        Assert.Contains(word, run.Errors, StringComparison.Ordinal);
    }

    private WorkerProcess Start(TestProject project, string handler, Dictionary<string, string> environment) =>
        WorkerProcess.Start(
            WorkerProcess.Exec,
            service.Address,
            project.Key,
            "letters",
            ["sh", "-c", handler],
            environment
        );

    private static Task<JsonElement> BecomeAsync(TestProject project, Guid id, string state) =>
        Eventually.FitAsync(() => TestJobs.GetAsync(project, id), job => job.State() == state, Long);

    private sealed class TemporaryFolder : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("bellhop-exec-").FullName;

        public string PathOf(string name) => Path.Combine(_folder, name);

        public void Dispose() => Directory.Delete(_folder, recursive: true);
    }
}
