using System.Globalization;
using System.Text;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Logs;

public sealed class JobLogTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_written_is_shown_while_the_handler_still_runs()
    {
        var project = await service.NewProjectAsync();
        var end = new TaskCompletionSource();
        var job = TestJobs.New(
            project.Id,
            async (claimed, cancellationToken) =>
            {
                var log = TestLogs.Open(service, claimed);
                log.Write(JobLogLevel.Info, "begun");
                await end.Task.WaitAsync(cancellationToken);
                log.Write(JobLogLevel.Error, "ended");
                await log.EndAsync();
                return await TestJobs.Succeed();
            }
        );
        await TestJobs.EnqueueAsync(service, job);

        var shown = await Eventually.FitAsync(() => TestLogs.ReadAsync(project, job.Id), lines => lines.Count > 0);
        var state = (await TestJobs.GetAsync(project, job.Id)).State();
        end.SetResult();
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        Assert.Equal(("running", "begun"), (state, Assert.Single(shown).Text));
        Assert.Equal(
            [("info", "begun"), ("error", "ended")],
            (await TestLogs.ReadAsync(project, job.Id)).Select(line => (line.Level, line.Text))
        );
    }

    [Fact]
    public async Task Who_writes_faster_than_it_is_stored_fills_no_memory_and_is_told_what_is_missing()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        var log = TestLogs.Open(service, job);
        const int Count = 20_000;

        for (var number = 1; number <= Count; number++)
        {
            log.Write(JobLogLevel.Debug, $"{number}");
        }

        await log.EndAsync();

        var lines = await TestLogs.ReadAsync(project, job.Id);
        var marks = lines.Where(line => line.Level == "left_out").ToArray();
        Assert.NotEmpty(marks);
        Assert.Equal(
            Count,
            lines.Count
                - marks.Length
                + marks.Sum(mark => int.Parse(mark.Text.Split(' ')[^1], CultureInfo.InvariantCulture))
        );
        var written = lines.Except(marks).Select(line => int.Parse(line.Text, CultureInfo.InvariantCulture)).ToArray();
        Assert.Equal(written.Order(), written);
    }

    [Fact]
    public async Task Text_that_the_database_cannot_hold_is_made_fit()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        var log = TestLogs.Open(service, job);

        log.Write(JobLogLevel.Info, "a\0b");
        log.Write(JobLogLevel.Info, "half " + (char)0xD83D);
        await log.EndAsync();

        Assert.Equal(
            ["a\uFFFDb", "half \uFFFD"],
            (await TestLogs.ReadAsync(project, job.Id)).Select(line => line.Text)
        );
    }

    [Theory]
    [InlineData("x", 8_192)]
    [InlineData("é", 4_096)]
    [InlineData("😀", 2_048)]
    public void A_line_is_cut_at_eight_kilobytes_between_characters(string character, int fits)
    {
        var whole = string.Concat(Enumerable.Repeat(character, fits));

        Assert.Equal(whole, WrittenLines.Fit(whole));
        var cut = WrittenLines.Fit(whole + character);
        Assert.EndsWith(character + "…", cut, StringComparison.Ordinal);
        Assert.InRange(Encoding.UTF8.GetByteCount(cut), 8_180, 8_192);
    }

    [Fact]
    public async Task Lines_of_a_claim_that_is_lost_are_dropped_and_keep_nobody_waiting()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project, 2);
        var log = TestLogs.Open(service, job with { ClaimNo = 1 });

        log.Write(JobLogLevel.Info, "late");
        await log.EndAsync().WaitAsync(TimeSpan.FromSeconds(4), Token);

        Assert.Empty(await TestLogs.ReadAsync(project, job.Id));
    }
}
