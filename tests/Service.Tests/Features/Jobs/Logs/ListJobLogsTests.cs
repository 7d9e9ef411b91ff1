using System.Net;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Logs;

public sealed class ListJobLogsTests(ServiceFixture service)
{
    [Fact]
    public async Task What_a_handler_logs_is_there_when_the_job_is_over()
    {
        var project = await service.NewProjectAsync();
        var job = await project.Http.PostAsync("/v1/jobs", """{"kind":"log","args":{"message":"ticket 7"}}""");
        var ended = await TestJobs.BecomeAsync(project, job.Id, "succeeded");

        var line = Assert.Single(await TestLogs.ReadAsync(project, job.Id));

        Assert.Equal((1, "info", "ticket 7"), (line.Seq, line.Level, line.Text));
        Assert.InRange(
            line.At,
            ended.GetProperty("claimed_at").GetDateTime(),
            ended.GetProperty("finished_at").GetDateTime()
        );
    }

    [Fact]
    public async Task Lines_are_read_by_pages_from_a_place_on_and_by_how_much_they_matter()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        var levels = new[] { JobLogLevel.Debug, JobLogLevel.Info, JobLogLevel.Warning, JobLogLevel.Error };
        var lines = Enumerable
            .Range(1, 12)
            .Select(number => new WrittenLine(DateTime.UtcNow, levels[number % 4], $"{number}"))
            .ToArray();
        await TestLogs.AppendAsync(project, TestLogs.Lines(job, 1) with { Lines = lines });

        Assert.Equal(Numbers(1, 12), Texts(await TestLogs.ReadAsync(project, job.Id, "limit=5")));
        Assert.Equal(Numbers(8, 5), Texts(await TestLogs.ReadAsync(project, job.Id, "limit=2&after=7")));
        Assert.Equal(
            ["2", "3", "6", "7", "10", "11"],
            Texts(await TestLogs.ReadAsync(project, job.Id, "limit=1&level=warning"))
        );
        Assert.Empty(await TestLogs.ReadAsync(project, job.Id, "after=12"));
        foreach (var query in new[] { "level=left_out", "level=loud", "after=-1", "after=x", "limit=0", "since=1" })
        {
            var answer = await project.Http.CallAsync("GET", $"/v1/jobs/{job.Id}/logs?{query}");
            Assert.Equal((HttpStatusCode.BadRequest, query), (answer.Status, query));
        }
    }

    [Fact]
    public async Task Only_who_may_read_the_data_of_the_job_reads_its_log()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        await TestLogs.AppendAsync(project, TestLogs.Lines(job, 1, "not for everyone"));
        var stranger = await service.NewProjectAsync();

        foreach (var path in new[] { $"/v1/jobs/{job.Id}/logs", $"/v1/jobs/{job.Id}/logs/events" })
        {
            Assert.Equal(HttpStatusCode.NotFound, (await stranger.Http.CallAsync("GET", path)).Status);
            await project.UseKeyAsync("viewer");
            var viewer = await project.Http.CallAsync("GET", path);
            Assert.Equal((HttpStatusCode.Forbidden, "forbidden"), (viewer.Status, viewer.Code));
            Assert.Contains("data:read", viewer.Text, StringComparison.Ordinal);
            await TestJobs.NarrowAsync(project, "other");
            Assert.Equal(HttpStatusCode.NotFound, (await project.Http.CallAsync("GET", path)).Status);
        }
    }

    [Fact]
    public async Task A_job_that_is_deleted_takes_its_log_with_it()
    {
        var project = await service.NewProjectAsync();
        var job = await TestLogs.HoldAsync(service, project);
        await TestLogs.AppendAsync(project, TestLogs.Lines(job, 1, "gone"));
        await TestLogs.EndAsync(project, job.Id);

        (await project.Http.PostAsync("/v1/jobs/bulk/delete", $$$"""{"filter":{"ids":["{{{job.Id}}}"]}}""")).Expect(
            HttpStatusCode.OK
        );

        Assert.Equal(HttpStatusCode.NotFound, (await project.Http.CallAsync("GET", $"/v1/jobs/{job.Id}/logs")).Status);
        var left = await TestJobs.QueryAsync<long>(
            project.Database,
            "SELECT count(*) FROM job_logs WHERE project_id = @ProjectId",
            new { ProjectId = project.Id }
        );
        Assert.Equal(0, left);
    }

    private static IEnumerable<string> Numbers(int from, int count) =>
        Enumerable.Range(from, count).Select(number => $"{number}");

    private static IEnumerable<string> Texts(IEnumerable<JobLogLine> lines) => lines.Select(line => line.Text);
}
