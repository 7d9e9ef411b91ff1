using System.Net;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Running;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class CancelJobTests(ServiceFixture service)
{
    private const string Gentle = "{}";
    private const string Forced = """{"force":true}""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_that_is_not_running_is_canceled_at_once_and_frees_its_key()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            UPDATE jobs SET unique_key = '{"key":"once"}', tags = '{a,b}' WHERE project_id = @ProjectId AND id = @Id;
            INSERT INTO job_keys (project_id, key, job_id, until) VALUES (@ProjectId, 'once', @Id, 1)
            """,
            new { ProjectId = project.Id, job.Id }
        );

        var canceled = (await CancelAsync(project, job.Id)).Expect(HttpStatusCode.OK).Body;

        Assert.Equal("canceled", canceled.State());
        Assert.Equal("canceled", canceled.GetProperty("reason").GetString());
        Assert.Equal(2, canceled.GetProperty("tags").GetArrayLength());
        Assert.Equal(canceled.GetRawText(), (await TestJobs.GetAsync(project, job.Id)).GetRawText());
        Assert.Equal(0, await CountAsync(project, "SELECT count(*) FROM job_keys WHERE project_id = @Id"));
    }

    [Fact]
    public async Task What_runs_is_told_to_stop_and_is_not_tried_again()
    {
        var project = await service.NewProjectAsync();
        var started = new TaskCompletionSource();
        var job = TestJobs.New(
            project.Id,
            async (_, token) =>
            {
                started.SetResult();
                await Task.Delay(Timeout.Infinite, token);
                return new JobOutcome.Succeeded(null);
            }
        );
        await TestJobs.EnqueueAsync(service, job);
        await started.Task.WaitAsync(Eventually.Patience, Token);

        var told = (await CancelAsync(project, job.Id)).Expect(HttpStatusCode.Accepted);

        Assert.Equal(("running", $"/v1/jobs/{job.Id}"), (told.Body.State(), told.Location));
        Assert.False(told.Body.IsNull("cancel_requested_at"));
        // by the signal: the next beat would come after ten seconds
        var over = await Eventually.FitAsync(
            () => TestJobs.GetAsync(project, job.Id),
            job => job.State() == "canceled",
            TimeSpan.FromSeconds(6)
        );
        Assert.Equal(1, over.GetProperty("attempt").GetInt32());
        Assert.True(over.IsNull("error"));
        Assert.Empty(over.GetProperty("attempts").EnumerateArray());
    }

    [Theory]
    [InlineData("succeed", "succeeded")]
    [InlineData("fail", "canceled")]
    [InlineData("release", "canceled")]
    public async Task How_an_execution_ends_after_it_was_told_to_stop_decides(string end, string state)
    {
        var project = await service.NewProjectAsync();
        var (job, told) = await RunAsync(
            project,
            () =>
                end switch
                {
                    "succeed" => new JobOutcome.Succeeded("""{"done":true}"""),
                    "fail" => new JobOutcome.Failed("broken", "It broke."),
                    _ => new JobOutcome.Released(TimeSpan.Zero),
                }
        );
        (await CancelAsync(project, job.Id)).Expect(HttpStatusCode.Accepted);
        told.SetResult();

        var over = await TestJobs.BecomeAsync(project, job.Id, state);

        Assert.Equal(end == "fail", !over.IsNull("error"));
        Assert.Equal(end == "fail" ? 1 : 0, over.GetProperty("attempts").GetArrayLength());
        Assert.Equal(1, over.GetProperty("attempt").GetInt32());
    }

    [Fact]
    public async Task What_is_forced_is_over_whatever_its_handler_still_does()
    {
        var project = await service.NewProjectAsync();
        var (job, end) = await RunAsync(project, () => new JobOutcome.Succeeded("""{"late":true}"""));

        var over = (await CancelAsync(project, job.Id, Forced)).Expect(HttpStatusCode.OK).Body;
        end.SetResult();

        Assert.Equal("canceled", over.State());
        await Eventually.BeTrueAsync(
            () => Task.FromResult(Held().All(held => held.Job.Id != job.Id)),
            "the late end came and was dropped"
        );
        Assert.Equal("canceled", (await TestJobs.GetAsync(project, job.Id)).State());
    }

    [Fact]
    public async Task A_signal_that_is_lost_is_made_good_by_the_next_beat()
    {
        var project = await service.NewProjectAsync();
        var stopped = new TaskCompletionSource();
        var started = new TaskCompletionSource();
        var job = TestJobs.New(
            project.Id,
            async (_, token) =>
            {
                token.Register(stopped.SetResult);
                started.SetResult();
                await stopped.Task;
                token.ThrowIfCancellationRequested();
                return new JobOutcome.Succeeded(null);
            }
        );
        await TestJobs.EnqueueAsync(service, job);
        await started.Task.WaitAsync(Eventually.Patience, Token);
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            UPDATE jobs SET cancel_requested_at = now(), cancel_by = now() + interval '1 hour'
            WHERE project_id = @ProjectId AND id = @Id
            """,
            new { ProjectId = project.Id, job.Id }
        );

        await service.Services.GetRequiredService<Heartbeat>().BeatAsync(Token);

        await stopped.Task.WaitAsync(Eventually.Patience, Token);
        await TestJobs.BecomeAsync(project, job.Id, "canceled");
    }

    [Fact]
    public async Task What_continues_a_job_is_enqueued_once_however_it_is_canceled()
    {
        var project = await service.NewProjectAsync();
        var next = new Continuation(JobQueue.Automations, "noop", """{"next":true}""");
        var idle = TestJobs.Later(project.Id) with { Continuation = next };
        await TestJobs.EnqueueAsync(service, idle);
        var (runs, end) = await RunAsync(project, () => new JobOutcome.Failed("broken", "It broke."), next);

        (await CancelAsync(project, idle.Id)).Expect(HttpStatusCode.OK);
        (await CancelAsync(project, runs.Id)).Expect(HttpStatusCode.Accepted);
        end.SetResult();
        await TestJobs.BecomeAsync(project, runs.Id, "canceled");

        await Eventually.FitAsync(
            () =>
                CountAsync(
                    project,
                    "SELECT count(*) FROM job_history WHERE project_id = @Id AND kind = 'noop' AND args ->> 'next' = 'true'"
                ),
            count => count == 2
        );
    }

    [Fact]
    public async Task A_run_that_waits_for_the_job_learns_that_it_was_canceled()
    {
        var project = await service.NewProjectAsync();
        (
            await project.Http.PostAsync(
                "/v1/automations",
                """
                {"name":"waits","on":{"type":["a"]},"steps":[
                    {"id":"work","uses":"job","with":{"kind":"sleep","args":{"seconds":600}}}]}
                """
            )
        ).Expect(HttpStatusCode.Created);
        (await project.Http.PostAsync("/v1/events", """{"type":"a","source":"tests"}""")).Expect(
            HttpStatusCode.Accepted
        );
        var job = await Eventually.FitAsync(
            async () =>
                (await project.Http.CallAsync("GET", "/v1/jobs?state=running"))
                    .Body.GetProperty("items")
                    .EnumerateArray()
                    .FirstOrDefault(),
            job => job.ValueKind == JsonValueKind.Object && job.GetProperty("kind").GetString() == "sleep"
        );

        (await CancelAsync(project, job.GetProperty("id").GetGuid())).Expect(HttpStatusCode.Accepted);

        var run = await Eventually.FitAsync(
            async () => (await project.Http.CallAsync("GET", "/v1/runs")).Body.GetProperty("items")[0],
            run => run.State() == "failed"
        );
        var found = (await project.Http.CallAsync("GET", $"/v1/runs/{run.GetProperty("id").GetGuid()}")).Body;
        Assert.Equal("job_canceled", found.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task What_is_over_is_not_canceled_and_what_is_canceled_stays_so()
    {
        var project = await service.NewProjectAsync();
        var done = TestJobs.Noop(project.Id);
        var later = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, done, later);
        await TestJobs.BecomeAsync(project, done.Id, "succeeded");

        Assert.Equal("job_finished", (await CancelAsync(project, done.Id)).Expect(HttpStatusCode.Conflict).Code);
        (await CancelAsync(project, later.Id)).Expect(HttpStatusCode.OK);
        Assert.Equal("canceled", (await CancelAsync(project, later.Id)).Expect(HttpStatusCode.OK).Body.State());
        Assert.Equal(1, await project.CountRecordsAsync("jobs.cancel"));
    }

    [Fact]
    public async Task The_services_own_jobs_are_left_alone()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id) with { Queue = JobQueue.Automations, Kind = "automations.run" };
        await TestJobs.EnqueueAsync(service, job);

        Assert.Equal("job_internal", (await CancelAsync(project, job.Id)).Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal("ready", (await TestJobs.GetAsync(project, job.Id)).State());
    }

    [Fact]
    public async Task Nobody_cancels_what_is_not_theirs_to_see()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);

        (await CancelAsync(other, job.Id)).Expect(HttpStatusCode.NotFound);
        await TestJobs.NarrowAsync(project, "elsewhere");
        (await CancelAsync(project, job.Id)).Expect(HttpStatusCode.NotFound);
        await TestJobs.NarrowAsync(project, "default");
        (await CancelAsync(project, job.Id)).Expect(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("""{"grace_seconds":-1}""")]
    [InlineData("""{"grace_seconds":3601}""")]
    public async Task A_grace_out_of_range_is_422(string body)
    {
        var project = await service.NewProjectAsync();

        var answer = (await CancelAsync(project, Guid.CreateVersion7(), body)).Expect(
            HttpStatusCode.UnprocessableEntity
        );

        Assert.Equal("/grace_seconds", answer.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Fact]
    public async Task Of_a_cancel_that_is_sent_again_there_is_one()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);

        var first = await project.Http.PostAsync($"/v1/jobs/{job.Id}/cancel", Gentle, "once");
        var second = await project.Http.PostAsync($"/v1/jobs/{job.Id}/cancel", Gentle, "once");

        Assert.Equal(first.Expect(HttpStatusCode.OK).Text, second.Text);
        Assert.True(second.IsReplayed);
        Assert.Equal(1, await project.CountRecordsAsync("jobs.cancel"));
    }

    [Fact]
    public async Task The_command_line_does_what_the_API_does()
    {
        var project = await service.NewProjectAsync();
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);

        Assert.Equal($"{job.Id} waiting", (await RunAsync("hold")).Output);
        Assert.Contains("held", (await RunAsync("show")).Output, StringComparison.Ordinal);
        Assert.Equal($"{job.Id} ready", (await RunAsync("free")).Output);
        Assert.Equal($"{job.Id} canceled", (await RunAsync("cancel", "--grace-seconds", "5")).Output);
        Assert.Equal(4, (await RunAsync("hold")).ExitCode); // refused: it is over
        Assert.Equal($"{job.Id} ready", (await RunAsync("retry")).Output);
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        Assert.Equal("1 deleted", (await RunAsync("delete")).Output);
        Assert.Equal(3, (await RunAsync("run-now")).ExitCode); // there is no such job
        Assert.StartsWith(
            "cli:",
            await TestJobs.QueryAsync<string>(
                service.Database,
                "SELECT actor FROM audit_entries WHERE project_id = @Id AND action = 'jobs.cancel'",
                new { project.Id }
            ),
            StringComparison.Ordinal
        );

        Task<CliProcess> RunAsync(string verb, params string[] options) =>
            CliProcess.RunAsync(
                CliProcess.On(service),
                ["jobs", verb, $"{job.Id}", "--project", project.Name, .. options]
            );
    }

    /// <summary>Whoever is first, there is one end, and one continuation.</summary>
    [Fact]
    public async Task Jobs_that_end_while_they_are_canceled_end_once()
    {
        var project = await service.NewProjectAsync();
        var jobs = Enumerable
            .Range(0, 200)
            .Select(_ =>
                TestJobs.Noop(project.Id) with
                {
                    Continuation = new Continuation(JobQueue.Default, "log", """{"message":"next"}"""),
                }
            )
            .ToArray();
        await TestJobs.EnqueueAsync(service, jobs);
        await Parallel.ForEachAsync(
            jobs,
            new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Token },
            async (job, _) =>
            {
                var command = new CancelJob.Command(job.Id, Force: job.Id.ToByteArray()[15] % 2 == 0);
                var answer = await project.SendAsync(command);
                Assert.True(answer.Problem is null || answer.Problem.Kind.Code == "job_finished", $"{answer.Problem}");
            }
        );

        await Eventually.FitAsync(
            () => CountAsync(project, "SELECT count(*) FROM jobs WHERE project_id = @Id"),
            left => left == 0
        );
        Assert.Equal(
            (200, 200, 200),
            await TestJobs.QueryAsync<(long, long, long)>(
                service.Database,
                """
                SELECT count(*) FILTER (WHERE kind = 'noop'), count(DISTINCT id) FILTER (WHERE kind = 'noop'),
                    count(*) FILTER (WHERE kind = 'log')
                FROM job_history
                WHERE project_id = @Id
                """,
                new { project.Id }
            )
        );
    }

    private static Task<Answer> CancelAsync(TestProject project, Guid id, string body = Gentle) =>
        project.Http.PostAsync($"/v1/jobs/{id}/cancel", body);

    /// <summary>A job whose handler is deaf to its token, running; it ends so once the test says.</summary>
    private async Task<(NewJob Job, TaskCompletionSource End)> RunAsync(
        TestProject project,
        Func<JobOutcome> outcome,
        Continuation? continuation = null
    )
    {
        var started = new TaskCompletionSource();
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var job = TestJobs.New(
            project.Id,
            async (_, _) =>
            {
                started.SetResult();
                await end.Task;
                return outcome();
            },
            continuation: continuation
        );
        await TestJobs.EnqueueAsync(service, job);
        await started.Task.WaitAsync(Eventually.Patience, Token);
        return (job, end);
    }

    private IEnumerable<HeldJob> Held() => service.Services.GetRequiredService<HeldJobs>().All;

    private Task<long> CountAsync(TestProject project, string sql) =>
        TestJobs.QueryAsync<long>(service.Database, sql, new { project.Id });
}
