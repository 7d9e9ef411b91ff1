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

        var error = (await BecomeAsync(failed, "failed")).GetProperty("error");
        var result = (await BecomeAsync(fits, "succeeded")).GetProperty("result").GetString()!;
        var none = await BecomeAsync(toolong, "succeeded");

        Assert.Equal("exit_4", error.GetProperty("code").GetString());
        Assert.Equal("The command ended with exit code 4: no such letter", error.GetProperty("message").GetString());
        Assert.Equal(260_000, result.Length);
        Assert.True(none.IsNull("result"));

        Task<global::System.Text.Json.JsonElement> BecomeAsync(Guid id, string state) =>
            Eventually.FitAsync(() => TestJobs.GetAsync(project, id), job => job.State() == state, Long);
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
}
