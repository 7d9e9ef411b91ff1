using System.Diagnostics;
using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class HeartbeatJobsTests(ServiceFixture service)
{
    [Fact]
    public async Task A_lease_begins_anew_and_what_the_worker_says_is_seen_and_handed_on()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());
        await TestWorker.ExpireAsync(project);

        var beat = Assert.Single(
            await worker.BeatAsync(
                new
                {
                    id,
                    lease = job.GetProperty("lease"),
                    progress = 0.5,
                    note = "page 2 of 4",
                    checkpoint = new { page = 2 },
                }
            )
        );

        Assert.Equal(
            ("ok", 30),
            (beat.GetProperty("status").GetString(), beat.GetProperty("lease_seconds").GetInt32())
        );
        var seen = await TestJobs.GetAsync(project, id);
        Assert.Equal(
            (0.5, "page 2 of 4"),
            (seen.GetProperty("progress").GetDouble(), seen.GetProperty("note").GetString())
        );
        await worker.FinishAsync(TestWorker.End(job, "released"));
        var next = Assert.Single(await worker.ClaimAsync());
        Assert.Equal(2, next.GetProperty("checkpoint").GetProperty("page").GetInt32());
    }

    [Fact]
    public async Task A_worker_is_told_what_is_lost_what_is_canceled_and_what_took_too_long()
    {
        var (project, worker) = await StartAsync(new { max_run_seconds = 60 });
        for (var number = 0; number < 3; number++)
        {
            await worker.EnqueueAsync();
        }

        var jobs = await worker.ClaimAsync();
        var ids = Array.ConvertAll(jobs, job => job.GetProperty("id").GetGuid());
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE jobs SET claimed_at = now() - interval '61 seconds' WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, Id = ids[1] }
        );
        await worker.PostAsync($"/v1/jobs/{ids[2]}/cancel", new { });
        await worker.FinishAsync(TestWorker.End(jobs[0], "released"));

        var (_, answer) = await worker.PostAsync(
            "/v1/jobs/heartbeat",
            new
            {
                worker = new { id = worker.Id, name = "test" },
                jobs = jobs.Select(job => new { id = job.GetProperty("id"), lease = job.GetProperty("lease") }),
            }
        );

        Assert.Equal(
            ["lost", "deadline", "cancel"],
            answer.GetProperty("jobs").EnumerateArray().Select(beat => beat.GetProperty("status").GetString())
        );
        Assert.Equal(3, answer.GetProperty("heartbeat_seconds").GetInt32()); // to hear soon what becomes of it
    }

    [Fact]
    public async Task A_worker_that_waits_for_jobs_is_told_at_once_what_to_stop()
    {
        var (_, worker) = await StartAsync();
        var id = await worker.EnqueueAsync();
        var job = Assert.Single(await worker.ClaimAsync());
        var waiting = worker.AskAsync(wait: 30);

        await worker.PostAsync($"/v1/jobs/{id}/cancel", new { });
        var asked = Stopwatch.GetTimestamp();

        var (status, body) = await waiting.WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);
        Assert.InRange(Stopwatch.GetElapsedTime(asked).TotalSeconds, 0, 1);
        var signal = Assert.Single(body.GetProperty("signals").EnumerateArray());
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal((id, "cancel"), (signal.GetProperty("id").GetGuid(), signal.GetProperty("do").GetString()));
        Assert.Equal(job.GetProperty("lease").GetString(), signal.GetProperty("lease").GetString());
        Assert.Equal(["accepted"], await worker.FinishAsync(TestWorker.End(job, "canceled")));
    }

    [Fact]
    public async Task What_is_out_of_range_is_refused()
    {
        var (_, worker) = await StartAsync();

        var (status, body) = await worker.PostAsync(
            "/v1/jobs/heartbeat",
            new
            {
                worker = new { id = worker.Id, name = "test" },
                jobs = new[]
                {
                    new
                    {
                        id = Guid.NewGuid(),
                        lease = "x",
                        progress = 1.5,
                    },
                },
            }
        );

        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Equal("/jobs/0/progress", body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Fact]
    public async Task A_job_that_three_workers_went_silent_with_is_failed()
    {
        var (project, worker) = await StartAsync();
        var id = await worker.EnqueueAsync(new { max_attempts = 20 });
        for (var times = 0; times < 3; times++)
        {
            Assert.Single(await worker.ClaimAsync());
            await TestWorker.ExpireAsync(project);
            await service.SendAsync(project.Id, new RescueJobs.Command());
            await TestJobs.MakeDueAsync(project, id);
        }

        var over = await TestJobs.GetAsync(project, id);
        Assert.Equal(("failed", "worker_lost"), (over.State(), over.GetProperty("reason").GetString()));
        Assert.Equal(3, over.GetProperty("attempts").GetArrayLength());
    }

    private async Task<(TestProject, TestWorker)> StartAsync(object? limits = null)
    {
        var project = await service.NewProjectAsync();
        return (project, await TestWorker.ForAsync(project, "mail", limits));
    }
}
