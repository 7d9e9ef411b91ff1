using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Logs;

public sealed class WatchJobLogsTests(ServiceFixture service, ITestOutputHelper output)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Lines_are_told_as_they_come_until_the_job_is_over()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        await TestLogs.AppendAsync(project, TestLogs.Lines(job, 1, "a", "b"));
        var told = TestLogs.FollowAsync(project, job.Id, cancellationToken: Token).GetAsyncEnumerator(Token);

        Assert.Equal("a", await NextAsync(told));
        Assert.Equal("b", await NextAsync(told));
        await TestLogs.AppendAsync(project, TestLogs.Lines(job, 3, "c"));
        Assert.Equal("c", await NextAsync(told));
        await TestLogs.AppendAsync(project, TestLogs.Lines(job, 4, "d"));
        await TestLogs.EndAsync(project, job.Id);

        Assert.Equal("d", await NextAsync(told));
        Assert.Null(await NextAsync(told));
        await told.DisposeAsync();
    }

    [Fact]
    public async Task Who_comes_again_goes_on_behind_what_was_seen_and_who_saw_all_need_not_come()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        await TestLogs.AppendAsync(project, TestLogs.Lines(job, 1, "a", "b", "c"));
        await TestLogs.EndAsync(project, job.Id);

        var rest = new List<string>();
        await foreach (var line in TestLogs.FollowAsync(project, job.Id, 2, Token))
        {
            rest.Add(line.Text);
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/jobs/{job.Id}/logs/events");
        request.Headers.Add("Last-Event-ID", "3");
        using var over = await project.Http.SendAsync(request, Token);
        Assert.Equal(["c"], rest);
        Assert.Equal(HttpStatusCode.NoContent, over.StatusCode);
    }

    [Fact]
    public async Task A_log_that_is_long_and_cut_is_told_from_its_beginning_with_its_mark()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        for (var from = 1; from <= 2_000; from += 100)
        {
            var texts = Enumerable.Range(from, 100).Select(_ => new string('x', 900));
            await TestLogs.AppendAsync(project, TestLogs.Lines(job, from, [.. texts]));
        }

        await TestLogs.EndAsync(project, job.Id);
        var told = new List<JobLogLine>();
        await foreach (var line in TestLogs.FollowAsync(project, job.Id, cancellationToken: Token))
        {
            told.Add(line);
        }

        Assert.Equal(await TestLogs.ReadAsync(project, job.Id), told);
        Assert.Single(told, line => line.Level == "left_out");
    }

    [Fact]
    public async Task On_the_command_line_lines_are_printed_and_followed()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        await TestLogs.AppendAsync(project, TestLogs.Lines(job, 1, "a", "\u001b[2Jb"));

        var printed = await RunAsync();
        var followed = RunAsync("--follow", "--json");
        await TestLogs.AppendAsync(project, TestLogs.Lines(job, 3, "c"));
        await TestLogs.EndAsync(project, job.Id);

        Assert.Equal((0, ""), (printed.ExitCode, printed.Errors));
        Assert.Equal(
            ["info\ta", "info\t [2Jb"],
            printed.Output.TrimEnd().Split('\n').Select(line => line.Split('\t', 2)[1])
        );
        Assert.Equal(
            ["a", "\u001b[2Jb", "c"],
            (await followed)
                .Output.TrimEnd()
                .Split('\n')
                .Select(line => JsonElement.Parse(line).GetProperty("text").GetString())
        );

        Task<CliProcess> RunAsync(params string[] options) =>
            CliProcess.RunAsync(
                CliProcess.On(service),
                ["jobs", "logs", $"{job.Id}", "--project", project.Name, .. options]
            );
    }

    [Fact]
    public Task Many_jobs_log_at_once_and_whoever_watches_misses_nothing() => LogAsync(20, 50, 10);

    /// <summary>10,000 lines in 10 s from 50 jobs; a viewer of each sees them within a second.</summary>
    [Fact]
    [Trait("Category", "nightly")]
    public async Task Ten_thousand_lines_of_fifty_jobs_are_seen_within_a_second()
    {
        var worst = await LogAsync(50, 200, 50);
        Assert.InRange(worst, 0, 1_000);
    }

    /// <summary>Jobs that log so many lines each, with a pause between them, and a viewer of each who comes again half-way.</summary>
    /// <returns>How long it took at most from a line's writing until it was seen, in milliseconds.</returns>
    private async Task<double> LogAsync(int jobs, int lines, int pauseMilliseconds)
    {
        var project = await service.NewProjectAsync();
        var begin = new TaskCompletionSource();
        var delays = new ConcurrentBag<double>();
        var held = new List<ClaimedJob>();
        for (var index = 0; index < jobs; index++)
        {
            held.Add(await TestLogs.HoldAsync(service, project));
        }

        var viewers = held.Select(job => Task.Run(() => ViewAsync(job), Token)).ToArray();
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(
            held.Select(async job =>
            {
                var log = TestLogs.Open(service, job);
                using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(pauseMilliseconds));
                for (var number = 1; number <= lines; number++)
                {
                    await timer.WaitForNextTickAsync(Token);
                    log.Write(JobLogLevel.Info, Stopwatch.GetTimestamp().ToString(CultureInfo.InvariantCulture));
                }

                await log.EndAsync();
            })
        );
        var written = watch.Elapsed;
        await Task.WhenAll(held.Select(job => TestLogs.EndAsync(project, job.Id)));

        var seen = await Task.WhenAll(viewers);
        Assert.All(seen, places => Assert.Equal(Enumerable.Range(1, lines).Select(place => (long)place), places));
        var sorted = delays.Order().ToArray();
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{sorted.Length} lines of {jobs} jobs in {written.TotalSeconds:F1} s, seen after p50 {sorted[sorted.Length / 2]:F0} ms, p99 {sorted[sorted.Length * 99 / 100]:F0} ms, at most {sorted[^1]:F0} ms"
            )
        );
        return sorted[^1];

        async Task<List<long>> ViewAsync(ClaimedJob job)
        {
            var places = new List<long>();
            while (places.Count < lines)
            {
                await foreach (var line in TestLogs.FollowAsync(project, job.Id, places.LastOrDefault(), Token))
                {
                    delays.Add(
                        Stopwatch.GetElapsedTime(long.Parse(line.Text, CultureInfo.InvariantCulture)).TotalMilliseconds
                    );
                    places.Add(line.Seq);
                    if (places.Count == lines / 2)
                    {
                        break;
                    }
                }
            }

            return places;
        }
    }

    private static async Task<string?> NextAsync(IAsyncEnumerator<JobLogLine> told) =>
        await told.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20), Token) ? told.Current.Text : null;
}
