using System.Globalization;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Tests.Support;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Logs;

public sealed class JobLogStoreTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_line_that_is_sent_again_is_stored_once()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);

        var first = await TestLogs.AppendAsync(project, TestLogs.Lines(job, 1, "a", "b"));
        var again = await TestLogs.AppendAsync(project, TestLogs.Lines(job, 1, "a", "b"));
        var overlapping = await TestLogs.AppendAsync(project, TestLogs.Lines(job, 2, "b", "c"));
        var later = await TestLogs.AppendAsync(project, TestLogs.Lines(job, 10, "d"));

        Assert.Equal([3, 3, 4, 11], new[] { first, again, overlapping, later });
        var lines = await TestLogs.ReadAsync(project, job.Id);
        Assert.Equal(["a", "b", "c", "d"], lines.Select(line => line.Text));
        Assert.Equal([1L, 2, 3, 4], lines.Select(line => line.Seq));
    }

    [Fact]
    public async Task Of_twenty_who_send_the_same_at_once_one_stores_it()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);

        await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => TestLogs.AppendAsync(project, TestLogs.Lines(job, 1, "a", "b", "c")))
        );

        Assert.Equal(["a", "b", "c"], (await TestLogs.ReadAsync(project, job.Id)).Select(line => line.Text));
    }

    [Fact]
    public async Task The_next_claim_counts_anew_and_the_one_before_stores_nothing_more()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        await TestLogs.AppendAsync(project, TestLogs.Lines(job, 1, "first", "of the first"));
        await TestLogs.ClaimAsync(project, job.Id, 2);

        var late = await TestLogs.AppendAsync(project, TestLogs.Lines(job, 3, "late"));
        var next = await TestLogs.AppendAsync(project, TestLogs.Lines(job with { ClaimNo = 2 }, 1, "of the second"));
        await TestLogs.EndAsync(project, job.Id);
        var over = await TestLogs.AppendAsync(project, TestLogs.Lines(job with { ClaimNo = 2 }, 2, "over"));

        Assert.Equal((null, 2, null), (late, next, over));
        Assert.Equal(
            ["first", "of the first", "of the second"],
            (await TestLogs.ReadAsync(project, job.Id)).Select(line => line.Text)
        );
    }

    [Fact]
    public async Task Lines_get_their_places_in_the_order_in_which_they_are_committed()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        await using var slow = await project.Database.OpenConnectionAsync(Token);
        await using var held = await slow.BeginTransactionAsync(Token);
        await JobLogStore.AppendAsync(slow, [TestLogs.Lines(job, 1, "a", "b")], Token);
        await using var fast = await project.Database.OpenConnectionAsync(Token);

        var second = JobLogStore.AppendAsync(fast, [TestLogs.Lines(job, 3, "c")], Token);
        await Eventually.FitAsync(() => WaitsAsync(project.Database, fast.ProcessID), waits => waits);
        var before = await TestLogs.ReadAsync(project, job.Id);
        await held.CommitAsync(Token);
        await second;

        Assert.Empty(before); // or whoever reads on behind c would never see a and b
        Assert.Equal(["a", "b", "c"], (await TestLogs.ReadAsync(project, job.Id)).Select(line => line.Text));
    }

    [Fact]
    public async Task Of_two_megabytes_the_beginning_and_the_end_are_kept_and_a_mark_says_what_is_missing()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        const int Count = 2_100;
        for (var from = 1; from <= Count; from += 70)
        {
            var texts = Enumerable.Range(from, 70).Select(number => $"{number}:".PadRight(968, '.'));
            await TestLogs.AppendAsync(project, TestLogs.Lines(job, from, [.. texts]));
        }

        var lines = await TestLogs.ReadAsync(project, job.Id);

        var mark = Assert.Single(lines, line => line.Level == "left_out");
        var head = lines.TakeWhile(line => line != mark).Select(Number).ToArray();
        var tail = lines.SkipWhile(line => line != mark).Skip(1).Select(Number).ToArray();
        Assert.Equal(Enumerable.Range(1, 65), head); // 64 KiB of a thousand bytes each
        Assert.Equal(Enumerable.Range(Count - tail.Length + 1, tail.Length), tail);
        Assert.InRange(tail.Length, 850, 984);
        Assert.Equal($"lines left out: {Count - head.Length - tail.Length}", mark.Text);
        Assert.Equal(tail[0] - 1, mark.Seq);
        // who had read into what is missing by now is told so too
        var rest = await TestLogs.ReadAsync(project, job.Id, "limit=200&after=100");
        Assert.Equal(("left_out", $"lines left out: {tail[0] - 101}"), (rest[0].Level, rest[0].Text));
        Assert.Equal(tail, rest.Skip(1).Select(Number));
        Assert.Equal(lines, await TestLogs.ReadAsync(project, job.Id, "limit=1"));

        static int Number(JobLogLine line) => int.Parse(line.Text.Split(':')[0], CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task However_lines_are_cut_again_and_again_the_marks_sum_up()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        var lengths = new Random(7);
        var number = 1;
        for (var round = 0; round < 40; round++)
        {
            var texts = Enumerable.Range(0, 20).Select(_ => new string('x', lengths.Next(0, 8_000))).ToArray();
            await TestLogs.AppendAsync(project, TestLogs.Lines(job, number, texts));
            number += texts.Length;

            var lines = await TestLogs.ReadAsync(project, job.Id);
            var left = lines
                .Where(line => line.Level == "left_out")
                .Sum(line => long.Parse(line.Text.Split(' ')[^1], CultureInfo.InvariantCulture));
            Assert.Equal(number - 1, left + lines.Count(line => line.Level != "left_out"));
            Assert.InRange(lines.Sum(line => line.Text.Length + 32), 0, 1024 * 1024);
        }
    }

    private static Task<bool> WaitsAsync(NpgsqlDataSource database, int process) =>
        TestJobs.QueryAsync<bool>(
            database,
            "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = @Process AND NOT granted)",
            new { Process = process }
        );
}
