using System.Net;
using System.Text.Json;
using Bellhop.Features.Jobs.Workers;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Logs;

public sealed class AddJobLogsTests(ServiceFixture service)
{
    [Fact]
    public async Task A_worker_adds_lines_and_sends_again_what_was_not_answered()
    {
        var (project, worker, job) = await ClaimAsync();
        await project.UseKeyAsync("worker");

        var first = await AddAsync(worker, job, 1, "a", "b");
        var again = await AddAsync(worker, job, 1, "a", "b");
        var more = await AddAsync(worker, job, 3, "c");

        Assert.Equal((HttpStatusCode.OK, 3), (first.Status, Next(first.Body)));
        Assert.Equal((3, 4), (Next(again.Body), Next(more.Body)));
        await project.UseKeyAsync("operator");
        Assert.Equal(["a", "b", "c"], (await TestLogs.ReadAsync(project, IdOf(job))).Select(line => line.Text));
    }

    [Fact]
    public async Task Levels_are_kept_and_times_lie_within_the_execution()
    {
        var (project, worker, job) = await ClaimAsync();
        var lines = new object[]
        {
            new
            {
                text = "",
                level = "debug",
                at = "2001-01-01T00:00:00Z",
            },
            new
            {
                text = "Zoë",
                level = "error",
                at = "2999-01-01T00:00:00+01:00",
            },
            new { text = "now" },
        };

        var (status, body) = await worker.PostAsync(
            Path(job),
            new
            {
                lease = job.GetProperty("lease"),
                from_seq = 7,
                lines,
            }
        );

        Assert.Equal((HttpStatusCode.OK, 10), (status, Next(body)));
        var shown = await TestLogs.ReadAsync(project, IdOf(job));
        Assert.Equal([("debug", ""), ("error", "Zoë"), ("info", "now")], shown.Select(line => (line.Level, line.Text)));
        var claimed = (await TestJobs.GetAsync(project, IdOf(job))).GetProperty("claimed_at").GetDateTime();
        Assert.Equal(claimed, shown[0].At);
        Assert.All(shown, line => Assert.InRange(line.At, claimed, DateTime.UtcNow.AddSeconds(5)));
    }

    [Fact]
    public async Task Whoever_has_not_the_lease_adds_nothing()
    {
        var (project, worker, job) = await ClaimAsync();
        var forged = (Lease.Parse(job.GetProperty("lease").GetString()) ?? default) with { ClaimKey = Guid.NewGuid() };

        foreach (var lease in new[] { $"{forged}", "x", new string('A', 32) })
        {
            var (status, body) = await worker.PostAsync(Path(job), Body(lease, "forged"));
            Assert.Equal((HttpStatusCode.Conflict, "lease_lost"), (status, body.GetProperty("code").GetString()));
        }

        Assert.Equal(["accepted"], await worker.FinishAsync(TestWorker.End(job, "succeeded")));
        Assert.Equal(HttpStatusCode.Conflict, (await AddAsync(worker, job, 1, "over")).Status);
        var stranger = await service.NewProjectAsync();
        var (theirs, _) = await TestWorker.PostAsync(stranger.Http, Path(job), Body($"{forged}", "stranger"));
        Assert.Equal(HttpStatusCode.NotFound, theirs);
        Assert.Empty(await TestLogs.ReadAsync(project, IdOf(job)));
    }

    [Fact]
    public async Task What_is_not_sound_is_refused_with_its_place()
    {
        var (_, worker, job) = await ClaimAsync();
        var lease = job.GetProperty("lease").GetString();
        var sound = new object[] { new { text = "a" } };

        foreach (
            var (body, pointer) in new (object, string)[]
            {
                (
                    new
                    {
                        lease,
                        from_seq = 0,
                        lines = sound,
                    },
                    "/from_seq"
                ),
                (new { lease, lines = sound }, "/from_seq"),
                (new { lease, from_seq = 1 }, "/lines"),
                (
                    new
                    {
                        lease,
                        from_seq = 1,
                        lines = Array.Empty<object>(),
                    },
                    "/lines"
                ),
                (
                    new
                    {
                        lease,
                        from_seq = 1,
                        lines = Enumerable.Repeat(sound[0], 201),
                    },
                    "/lines"
                ),
                (
                    new
                    {
                        lease,
                        from_seq = 1,
                        lines = new object[] { new { text = "a", level = "loud" } },
                    },
                    "/lines/0/level"
                ),
                (
                    new
                    {
                        lease,
                        from_seq = 1,
                        lines = new object[] { new { text = "a", level = "left_out" } },
                    },
                    "/lines/0/level"
                ),
                (
                    new
                    {
                        lease,
                        from_seq = 1,
                        lines = new object[] { new { text = new string('é', 4_097) } },
                    },
                    "/lines/0/text"
                ),
                (
                    new
                    {
                        lease,
                        from_seq = 1,
                        lines = new object[] { new { level = "info" } },
                    },
                    "/lines/0/text"
                ),
                (new { from_seq = 1, lines = sound }, "/lease"),
            }
        )
        {
            var (status, answer) = await worker.PostAsync(Path(job), body);
            Assert.True(status == HttpStatusCode.UnprocessableEntity, answer.ToString());
            Assert.Equal(pointer, answer.GetProperty("errors")[0].GetProperty("pointer").GetString());
        }
    }

    private async Task<(TestProject, TestWorker, JsonElement)> ClaimAsync()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        await worker.EnqueueAsync();
        return (project, worker, Assert.Single(await worker.ClaimAsync()));
    }

    private static Task<(HttpStatusCode Status, JsonElement Body)> AddAsync(
        TestWorker worker,
        JsonElement job,
        int from,
        params string[] texts
    ) =>
        worker.PostAsync(
            Path(job),
            new
            {
                lease = job.GetProperty("lease"),
                from_seq = from,
                lines = texts.Select(text => new { text }),
            }
        );

    private static object Body(string lease, string text) =>
        new
        {
            lease,
            from_seq = 1,
            lines = new[] { new { text } },
        };

    private static string Path(JsonElement job) => $"/v1/jobs/{IdOf(job)}/logs";

    private static Guid IdOf(JsonElement job) => job.GetProperty("id").GetGuid();

    private static int Next(JsonElement answer) => answer.GetProperty("next_seq").GetInt32();
}
