using System.Diagnostics;
using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Tail;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Features.Jobs.Logs;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Tail;

public sealed class WatchJobsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_begins_and_ends_is_told_and_nothing_of_what_it_carries()
    {
        var project = await service.NewProjectAsync();
        using var stream = await TailStream.OpenAsync(project.Http);

        var job = await TestLogs.HoldAsync(service, project);
        var began = await stream.NextAsync();
        await TestLogs.EndAsync(project, job.Id);
        var ended = await stream.NextEndAsync();

        Assert.Equal(("started", job.Id, "running"), (began.Name, began.Job, began.State));
        Assert.Equal((job.Id, "succeeded"), (ended.Job, ended.State));
        Assert.Equal(
            ["id", "queue", "kind", "state", "attempt", "started_at", "finished_at", "error_code"],
            ended.Data.EnumerateObject().Select(member => member.Name)
        );
        Assert.Equal(("default", "noop"), (Text(ended, "queue"), Text(ended, "kind")));
    }

    [Fact]
    public async Task What_went_wrong_says_its_code()
    {
        var project = await service.NewProjectAsync();
        using var stream = await TailStream.OpenAsync(project.Http, "?state=failed");

        await TestJobs.EnqueueAsync(service, TestJobs.New(project.Id, Fail));
        var ended = await stream.NextAsync();

        Assert.Equal(("ended", "failed", "no_luck"), (ended.Name, ended.State, Text(ended, "error_code")));
    }

    [Fact]
    public async Task Who_asks_for_a_queue_a_kind_or_a_state_is_told_of_no_other()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"other","served_by":"workers"}""");
        using var ofQueue = await TailStream.OpenAsync(project.Http, "?queue=other");
        using var ofKind = await TailStream.OpenAsync(project.Http, "?kind=log&state=canceled");
        using var ofState = await TailStream.OpenAsync(project.Http, "?state=succeeded");

        var noop = await CancelAsync(project, TestJobs.Later(project.Id));
        var log = await CancelAsync(project, TestJobs.Later(project.Id) with { Kind = "log" });
        var other = await CancelAsync(project, TestJobs.Later(project.Id) with { Queue = "other" });
        await TestJobs.EnqueueAsync(service, TestJobs.Noop(project.Id));

        Assert.Equal(3, new[] { noop, log, other }.Distinct().Count());
        Assert.Equal(other, (await ofQueue.NextAsync()).Job);
        Assert.Equal(log, (await ofKind.NextAsync()).Job);
        Assert.Equal("succeeded", (await ofState.NextAsync()).State);
    }

    [Theory]
    [InlineData("?state=ready")]
    [InlineData("?state=done")]
    [InlineData("?colour=red")]
    public async Task A_parameter_that_fits_nothing_is_refused(string query)
    {
        var project = await service.NewProjectAsync();
        using var answer = await TailStream.AskAsync(project.Http, query);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task All_who_watch_a_project_are_told_the_same_and_nobody_elsewhere()
    {
        var project = await service.NewProjectAsync();
        var elsewhere = await service.NewProjectAsync();
        using var one = await TailStream.OpenAsync(project.Http);
        using var two = await TailStream.OpenAsync(project.Http);
        using var stranger = await TailStream.OpenAsync(elsewhere.Http);

        var jobs = await CancelManyAsync(project, 3);
        var theirs = await CancelAsync(elsewhere, TestJobs.Later(elsewhere.Id));

        Assert.Equal(jobs, await TakeAsync(one, 3));
        Assert.Equal(jobs, await TakeAsync(two, 3));
        Assert.Equal(theirs, (await stranger.NextAsync()).Job);
    }

    [Fact]
    public async Task Who_comes_again_is_told_what_ended_meanwhile_once_and_in_order()
    {
        var project = await service.NewProjectAsync();
        TailedEvent seen;
        using (var first = await TailStream.OpenAsync(project.Http))
        {
            await CancelAsync(project, TestJobs.Later(project.Id));
            seen = await first.NextAsync();
        }

        var meanwhile = await CancelManyAsync(project, 3);
        using var again = await TailStream.OpenAsync(project.Http, lastId: seen.Id);
        var told = await TakeAsync(again, 2);
        var then = await CancelAsync(project, TestJobs.Later(project.Id));
        told.AddRange(await TakeAsync(again, 2));

        Assert.Equal([.. meanwhile, then], told);
    }

    [Fact]
    public async Task Many_that_ended_at_one_moment_are_each_told_once_also_over_a_break()
    {
        var project = await service.NewProjectAsync();
        using var first = await TailStream.OpenAsync(project.Http);
        await EndManyAsync(project, 1_300);
        var seen = new List<TailedEvent>();
        while (seen.Count < 700)
        {
            seen.Add(await first.NextAsync());
        }

        using var again = await TailStream.OpenAsync(project.Http, lastId: seen[^1].Id);
        var told = seen.ConvertAll(one => one.Job);
        told.AddRange(await TakeAsync(again, 600));
        var last = await CancelAsync(project, TestJobs.Later(project.Id));

        Assert.Equal(1_300, told.Distinct().Count());
        Assert.Equal(last, (await again.NextAsync()).Job);
    }

    [Fact]
    public async Task An_end_that_is_committed_late_is_told_in_its_place()
    {
        var project = await service.NewProjectAsync();
        using var stream = await TailStream.OpenAsync(project.Http);
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        await using var late = await connection.BeginTransactionAsync(Token);
        var lateJob = (await EndManyAsync(project, 1, connection))[0];

        var soon = await CancelAsync(project, TestJobs.Later(project.Id));
        // as long as it would have taken to tell it
        await Eventually.BeTrueAsync(
            () =>
                TestJobs.QueryAsync<bool>(
                    project.Database,
                    "SELECT finished_at < now() - interval '2 s' FROM job_history WHERE project_id = @ProjectId AND id = @Id",
                    new { ProjectId = project.Id, Id = soon }
                ),
            "the other end is old"
        );
        await late.CommitAsync(Token);

        Assert.Equal([lateJob, soon], await TakeAsync(stream, 2));
    }

    [Fact]
    public async Task Whose_key_is_for_some_queues_is_told_of_those_alone()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"other","served_by":"workers"}""");
        var owner = project.Http;
        await TestJobs.NarrowAsync(project, "other");
        using var narrowed = await TailStream.OpenAsync(project.Http);
        using var outside = await TailStream.OpenAsync(project.Http, "?queue=default");

        await CancelAsync(owner, TestJobs.Later(project.Id));
        var other = await CancelAsync(owner, TestJobs.Later(project.Id) with { Queue = "other" });

        Assert.Equal(other, (await narrowed.NextAsync()).Job);
        await UseOfKeyIsOverAsync(project);
        Assert.Equal("end", (await outside.NextAsync()).Name);
    }

    [Fact]
    public async Task Whose_key_is_revoked_is_told_nothing_more()
    {
        var project = await service.NewProjectAsync();
        using var stream = await TailStream.OpenAsync(project.Http);
        var first = await CancelAsync(project, TestJobs.Later(project.Id));
        Assert.Equal(first, (await stream.NextAsync()).Job);

        await UseOfKeyIsOverAsync(project);
        await EndManyAsync(project, 1);

        Assert.Equal("end", (await stream.NextAsync()).Name);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("1-00000000000000000000000000000000")]
    [InlineData("99999999999999999-00000000000000000000000000000000")]
    public async Task Who_comes_again_with_an_id_that_leads_nowhere_is_told_of_the_gap(string lastId)
    {
        var project = await service.NewProjectAsync();
        using var stream = await TailStream.OpenAsync(project.Http, lastId: lastId);
        var gap = await stream.NextAsync();
        var job = await CancelAsync(project, TestJobs.Later(project.Id));

        Assert.Equal("gap", gap.Name);
        Assert.True(gap.Data.IsNull("count"));
        Assert.Equal(job, (await stream.NextAsync()).Job);
    }

    [Fact]
    public async Task Where_more_ends_at_once_than_is_told_there_is_a_gap_and_then_the_next()
    {
        var project = await service.NewProjectAsync();
        using var stream = await TailStream.OpenAsync(project.Http);
        await EndManyAsync(project, 2_500);

        var told = await TakeAsync(stream, 2_000);
        var gap = await stream.NextAsync();
        var job = await CancelAsync(project, TestJobs.Later(project.Id));

        Assert.Equal(2_000, told.Distinct().Count());
        Assert.Equal("gap", gap.Name);
        Assert.Equal(job, (await stream.NextAsync()).Job);
    }

    [Fact]
    public async Task Who_comes_again_after_too_much_is_told_its_beginning_and_of_the_gap()
    {
        var project = await service.NewProjectAsync();
        var first = await CancelAsync(project, TestJobs.Later(project.Id));
        var before = await TestJobs.QueryAsync<DateTime>(
            project.Database,
            "SELECT finished_at FROM job_history WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, Id = first }
        );
        for (var some = 0; some < 6; some++)
        {
            await EndManyAsync(project, 2_000);
        }

        var lastId = $"{(before - DateTime.UnixEpoch).Ticks / 10}-{first:N}";
        await SettledAsync(project);
        using var stream = await TailStream.OpenAsync(project.Http, lastId: lastId);
        var told = await TakeAsync(stream, 10_000);
        var gap = await stream.NextAsync();
        var job = await CancelAsync(project, TestJobs.Later(project.Id));

        Assert.Equal(10_000, told.Distinct().Count());
        Assert.Equal("gap", gap.Name);
        Assert.Equal(job, (await stream.NextAsync()).Job);
    }

    [Fact]
    public async Task As_many_as_there_are_places_may_watch_and_whoever_goes_leaves_his()
    {
        var project = await service.NewProjectAsync();
        var streams = new List<TailStream>();
        for (var some = 0; some < JobTail.MaxViewersOfProject; some++)
        {
            streams.Add(await TailStream.OpenAsync(project.Http));
        }

        await CancelAsync(project, TestJobs.Later(project.Id));
        await Task.WhenAll(streams.Select(stream => stream.NextAsync())); // each has its place
        using (var refused = await TailStream.AskAsync(project.Http))
        {
            Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
            Assert.NotNull(refused.Headers.RetryAfter);
        }

        streams[0].Dispose();
        var status = await Eventually.FitAsync(
            async () =>
            {
                using var answer = await TailStream.AskAsync(project.Http);
                return answer.StatusCode;
            },
            found => found == HttpStatusCode.OK
        );

        Assert.Equal(HttpStatusCode.OK, status);
        streams.ForEach(stream => stream.Dispose());
    }

    [Fact]
    public async Task On_the_command_line_each_event_is_a_line()
    {
        var project = await service.NewProjectAsync();
        var start = new ProcessStartInfo(
            "dotnet",
            [
                Path.Combine(AppContext.BaseDirectory, "bellhop.dll"),
                "jobs",
                "watch",
                "--project",
                project.Name,
                "--state",
                "canceled",
            ]
        )
        {
            RedirectStandardOutput = true,
        };
        foreach (var (name, value) in CliProcess.On(service))
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        try
        {
            var line = process.StandardOutput.ReadLineAsync(Token).AsTask();
            var jobs = new List<Guid>();
            // it begins to watch some time after it was started
            await Eventually.BeTrueAsync(
                async () =>
                {
                    jobs.Add(await CancelAsync(project, TestJobs.Later(project.Id)));
                    return line.IsCompleted;
                },
                "a line is printed",
                TimeSpan.FromSeconds(60)
            );

            var columns = (await line)!.Split('\t');
            Assert.Equal(("canceled", "default", "noop"), (columns[1], columns[3], columns[4]));
            Assert.Contains(Guid.Parse(columns[2]), jobs);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }
    }

    private static Task<JobOutcome> Fail(ClaimedJob job, CancellationToken cancellationToken) =>
        Task.FromResult<JobOutcome>(new JobOutcome.Failed("no_luck", "none at all", Retryable: false));

    private static string? Text(TailedEvent told, string member) => told.Data.GetProperty(member).GetString();

    private static async Task<List<Guid>> TakeAsync(TailStream stream, int count)
    {
        var told = new List<Guid>();
        while (told.Count < count)
        {
            told.Add((await stream.NextEndAsync()).Job);
        }

        return told;
    }

    private Task<Guid> CancelAsync(TestProject project, NewJob job) => CancelAsync(project.Http, job);

    /// <summary>A job that ends without having begun.</summary>
    private async Task<Guid> CancelAsync(HttpClient http, NewJob job)
    {
        await TestJobs.EnqueueAsync(service, job);
        (await http.PostAsync($"/v1/jobs/{job.Id}/cancel", "{}")).Expect(HttpStatusCode.OK);
        return job.Id;
    }

    private async Task<List<Guid>> CancelManyAsync(TestProject project, int count)
    {
        var jobs = new List<Guid>();
        while (jobs.Count < count)
        {
            jobs.Add(await CancelAsync(project, TestJobs.Later(project.Id)));
        }

        return jobs;
    }

    /// <summary>The ends of so many jobs, in one transaction and so at one moment.</summary>
    private static async Task<List<Guid>> EndManyAsync(
        TestProject project,
        int count,
        NpgsqlConnection? connection = null
    )
    {
        await using var own = connection is null ? await project.Database.OpenConnectionAsync(Token) : null;
        var ended = await (connection ?? own)!.QueryAsync<Guid>(
            """
            INSERT INTO job_history (
                project_id, id, queue_id, kind, outcome, priority, claim_no, attempt, max_attempts, lost, run_at
            )
            SELECT q.project_id, new_id(), q.queue_id, 'noop', 0, 3, 1, 1, 20, 0, now()
            FROM queues q, generate_series(1, @Count)
            WHERE q.project_id = @ProjectId AND q.name = 'default'
            RETURNING id
            """.With(new { ProjectId = project.Id, Count = count }, Token)
        );
        return ended.AsList();
    }

    /// <summary>What has ended up to now can be told.</summary>
    private static async Task SettledAsync(TestProject project)
    {
        var now = await TestJobs.QueryAsync<DateTime>(project.Database, "SELECT now()", new { });
        await Eventually.BeTrueAsync(
            () => TestJobs.QueryAsync<bool>(project.Database, "SELECT settled_at() > @now", new { now }),
            "all that ended is settled",
            TimeSpan.FromSeconds(40)
        );
    }

    private async Task UseOfKeyIsOverAsync(TestProject project)
    {
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE api_keys SET revoked_at = now() WHERE project_id = @ProjectId",
            new { ProjectId = project.Id }
        );
        var watch = Stopwatch.StartNew();
        await Eventually.FitAsync(
            async () => (await project.Http.CallAsync("GET", "/v1/jobs")).Status,
            // a stream asks once a second
            status => status != HttpStatusCode.OK && watch.Elapsed > TimeSpan.FromSeconds(1.1),
            TimeSpan.FromSeconds(5)
        );
    }
}
