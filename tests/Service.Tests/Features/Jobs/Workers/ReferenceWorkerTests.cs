using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

/// <summary>The workers that others are written after, against the real service: what they lose, nobody loses.</summary>
public sealed class ReferenceWorkerTests(ServiceFixture service)
{
    private const string Queue = "letters";

    // says who executes the job, and goes on when the gate is there
    private const string WaitAtTheGate = """
        echo $$ >> "$STARTED"
        until [ -e "$GATE" ]; do sleep 0.05; done
        echo "\"$WHO\""
        """;

    private static readonly TimeSpan Long = TimeSpan.FromSeconds(90);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Programs => ["worker.sh", "worker.py", WorkerProcess.Exec];

    [Theory]
    [InlineData("worker.sh")]
    [InlineData("worker.py")]
    public void A_script_is_short(string script) =>
        Assert.InRange(File.ReadAllLines(Path.Combine(WorkerProcess.Folder, script)).Length, 10, 60);

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task The_exit_code_is_the_outcome_and_JSON_on_stdout_the_result(string program)
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, Queue);
        var done = await worker.EnqueueAsync(new { args = new { say = "json", exit = 0 } });
        var silent = await worker.EnqueueAsync(new { args = new { say = "text", exit = 0 } });
        var later = await worker.EnqueueAsync(new { args = new { say = "text", exit = 75 } });
        var failed = await worker.EnqueueAsync(
            new { args = new { say = "text", exit = 3 }, retry = new { max_attempts = 1 } }
        );
        const string Handler = """
            args=$(cat)
            [ -n "$BELLHOP_JOB_ID" ] && [ -z "${BELLHOP_KEY:-}" ] || exit 9
            case $args in *json*) echo '{"pages":3}' ;; *) echo '3 "pages' ;; esac
            case $args in *75*) exit 75 ;; *3*) exit 3 ;; esac
            """;

        await using var process = Start(project, program, ["sh", "-c", Handler]);

        Assert.Equal(
            """{"pages":3}""",
            (await BecomeAsync(project, done, "succeeded")).GetProperty("result").GetRawText()
        );
        Assert.True((await BecomeAsync(project, silent, "succeeded")).IsNull("result"));
        var error = (await BecomeAsync(project, failed, "failed")).GetProperty("error");
        Assert.Equal("exit_3", error.GetProperty("code").GetString());
        var snoozed = await Eventually.FitAsync(
            () => TestJobs.GetAsync(project, later),
            job => job.GetProperty("attempts").GetArrayLength() > 0,
            Long
        );
        Assert.Equal("snoozed", snoozed.GetProperty("attempts")[0].GetProperty("outcome").GetString());
        Assert.Equal(0, snoozed.GetProperty("attempt").GetInt32());
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task A_worker_that_comes_back_after_its_lease_changes_nothing(string program)
    {
        using var files = new Files();
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, Queue);
        var id = await worker.EnqueueAsync();
        await using var first = Start(project, program, ["sh", "-c", WaitAtTheGate], files.Of("first"));
        await files.StartedAsync(1);
        await first.SignalAsync("STOP");
        await TestWorker.ExpireAsync(project);
        await using var second = Start(project, program, ["sh", "-c", WaitAtTheGate], files.Of("second"));
        await files.StartedAsync(2, () => MakeDueAsync(project));
        files.Open();

        Assert.Equal("\"second\"", (await BecomeAsync(project, id, "succeeded")).GetProperty("result").GetRawText());
        await second.SignalAsync("TERM");
        Assert.Equal(0, await second.ExitAsync());
        var next = await worker.EnqueueAsync();
        await first.SignalAsync("CONT"); // it says how the first job ended, and goes on
        Assert.Equal("\"first\"", (await BecomeAsync(project, next, "succeeded")).GetProperty("result").GetRawText());

        var job = await TestJobs.GetAsync(project, id);
        Assert.Equal(("succeeded", "\"second\""), (job.State(), job.GetProperty("result").GetRawText()));
        Assert.Equal(1, await CountAsync(project, id));
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task Jobs_of_workers_that_are_killed_are_executed_elsewhere(string program)
    {
        using var files = new Files();
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, Queue);
        Guid[] ids = [await worker.EnqueueAsync(), await worker.EnqueueAsync(), await worker.EnqueueAsync()];
        var isMany = program == WorkerProcess.Exec;
        var victims = Enumerable
            .Range(0, isMany ? 1 : 3)
            .Select(_ => Start(project, program, ["sh", "-c", WaitAtTheGate], files.Of("dead"), slots: isMany ? 3 : 1))
            .ToArray();
        await files.StartedAsync(3);
        foreach (var victim in victims)
        {
            await victim.SignalAsync("KILL");
            await victim.ExitAsync();
        }

        files.EndHandlers(); // which a worker that is killed leaves behind
        await TestWorker.ExpireAsync(project);
        files.Open();
        await using var heir = Start(project, program, ["sh", "-c", WaitAtTheGate], files.Of("heir"), slots: 3);

        foreach (var id in ids)
        {
            var job = await Eventually.FitAsync(
                async () =>
                {
                    await MakeDueAsync(project);
                    return await TestJobs.GetAsync(project, id);
                },
                job => job.State() == "succeeded",
                Long
            );
            Assert.Equal("\"heir\"", job.GetProperty("result").GetRawText());
            Assert.Equal(2, job.GetProperty("attempt").GetInt32());
            Assert.Equal(1, await CountAsync(project, id));
        }

        Assert.Equal(
            3,
            await TestJobs.QueryAsync<long>(
                project.Database,
                "SELECT count(*) FROM job_attempts WHERE project_id = @Id",
                new { project.Id }
            )
        );
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task A_running_job_that_is_cancelled_is_stopped_within_seconds(string program)
    {
        using var files = new Files();
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, Queue);
        var id = await worker.EnqueueAsync();
        await using var process = Start(project, program, ["sh", "-c", WaitAtTheGate], files.Of("it"));
        await files.StartedAsync(1);

        var began = Stopwatch.StartNew();
        using var canceled = await project.Http.PostAsJsonAsync($"/v1/jobs/{id}/cancel", new { }, Token);
        Assert.True(canceled.StatusCode is HttpStatusCode.OK or HttpStatusCode.Accepted, $"{canceled.StatusCode}");
        await BecomeAsync(project, id, "canceled");

        Assert.InRange(began.Elapsed.TotalSeconds, 0, 15); // 4 s, and the machine may be busy; the grace is 30
        await Eventually.BeTrueAsync(() => Task.FromResult(!files.HandlersLive), "the handler is gone", Long);
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task SIGTERM_gives_back_what_it_holds_and_the_attempt_does_not_count(string program)
    {
        using var files = new Files();
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, Queue);
        var id = await worker.EnqueueAsync();
        await using var process = Start(project, program, ["sh", "-c", WaitAtTheGate], files.Of("it"));
        await files.StartedAsync(1);

        await process.SignalAsync("TERM");

        Assert.Equal(0, await process.ExitAsync());
        Assert.False(files.HandlersLive);
        var job = await TestJobs.GetAsync(project, id);
        Assert.Equal(("ready", 0), (job.State(), job.GetProperty("attempt").GetInt32()));
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task It_hears_that_it_is_to_be_quiet_to_go_on_and_to_stop(string program)
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, Queue);
        await using var process = Start(project, program, ["true"]);
        var known = await Eventually.FitAsync(
            async () => (await project.Http.GetFromJsonAsync<JsonElement>("/v1/workers", Token)).GetProperty("items"),
            workers => workers.GetArrayLength() == 1,
            Long
        );
        var id = known[0].GetProperty("id").GetGuid();
        await DirectAsync("quiet");
        await DirectAsync("resume");
        var job = await worker.EnqueueAsync();
        await BecomeAsync(project, job, "succeeded");
        await DirectAsync("stop");

        Assert.Equal(0, await process.ExitAsync());

        async Task DirectAsync(string verb)
        {
            using var answer = await project.Http.PostAsJsonAsync($"/v1/workers/{id}/{verb}", new { }, Token);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task A_key_that_may_not_work_ends_the_worker_with_a_word(string program)
    {
        var project = await service.NewProjectAsync();
        await TestWorker.ForAsync(project, Queue);
        await project.UseKeyAsync("viewer");

        await using var process = Start(project, program, ["true"]);

        Assert.NotEqual(0, await process.ExitAsync());
        var word = program == "worker.py" ? "403" : "forbidden";
        await Eventually.BeTrueAsync( // its last words are read after it has ended
            () => Task.FromResult(process.Output.Contains(word, StringComparison.Ordinal)),
            $"it said {word}"
        );
    }

    private WorkerProcess Start(
        TestProject project,
        string program,
        string[] command,
        IReadOnlyDictionary<string, string>? environment = null,
        int slots = 1
    ) => WorkerProcess.Start(program, service.Address, project.Key, Queue, command, environment, slots);

    private static Task<JsonElement> BecomeAsync(TestProject project, Guid id, string state) =>
        Eventually.FitAsync(() => TestJobs.GetAsync(project, id), job => job.State() == state, Long);

    private static Task<int> MakeDueAsync(TestProject project) =>
        TestJobs.ExecuteAsync(
            project.Database,
            "UPDATE jobs SET run_at = now() WHERE project_id = @Id AND state = 1 AND run_at > now()",
            new { project.Id }
        );

    private static Task<long> CountAsync(TestProject project, Guid id) =>
        TestJobs.QueryAsync<long>(
            project.Database,
            "SELECT count(*) FROM job_history WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, Id = id }
        );

    /// <summary>How handlers and the test meet.</summary>
    private sealed class Files : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("bellhop-workers-").FullName;

        private string Gate => Path.Combine(_folder, "gate");

        private string Started => Path.Combine(_folder, "started");

        public bool HandlersLive => Handlers().Any(id => Directory.Exists($"/proc/{id}") && !IsDead(id));

        public Dictionary<string, string> Of(string who) =>
            new()
            {
                ["WHO"] = who,
                ["GATE"] = Gate,
                ["STARTED"] = Started,
            };

        public void Open() => File.WriteAllText(Gate, "");

        public Task StartedAsync(int count, Func<Task>? meanwhile = null) =>
            Eventually.BeTrueAsync(
                async () =>
                {
                    await (meanwhile?.Invoke() ?? Task.CompletedTask);
                    return Handlers().Length >= count;
                },
                $"{count} handlers have begun",
                Long
            );

        public void EndHandlers()
        {
            foreach (var id in Handlers().Where(id => Directory.Exists($"/proc/{id}")))
            {
                using var handler = Process.GetProcessById(id);
                handler.Kill(entireProcessTree: true);
            }
        }

        public void Dispose()
        {
            Open(); // whoever still waits goes
            Directory.Delete(_folder, recursive: true);
        }

        private int[] Handlers() =>
            File.Exists(Started) ? [.. File.ReadAllLines(Started).Select(line => int.Parse(line, null))] : [];

        private static bool IsDead(int id)
        {
            try
            {
                return File.ReadAllText($"/proc/{id}/stat").Contains(") Z ", StringComparison.Ordinal);
            }
            catch (IOException)
            {
                return true;
            }
        }
    }
}
