using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class ListJobsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pages_hold_every_job_once_newest_first_whether_finished_or_not()
    {
        var project = await service.NewProjectAsync();
        var later = new DateTime(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var jobs = Enumerable
            .Range(0, 7)
            .Select(n => TestJobs.Noop(project.Id) with { RunAt = n % 2 == 0 ? null : later })
            .ToArray();
        await TestJobs.EnqueueAsync(service, jobs);
        foreach (var job in jobs.Where(job => job.RunAt is null))
        {
            await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        }

        var seen = new List<Guid>();
        for (var path = "/v1/jobs?limit=2"; path is not null; )
        {
            var page = await project.Http.GetFromJsonAsync<JsonElement>(path, Token);
            seen.AddRange(Ids(page));
            path = page.GetProperty("next_cursor").GetString() is { } cursor
                ? $"/v1/jobs?limit=2&cursor={Uri.EscapeDataString(cursor)}"
                : null;
        }

        Assert.Equal(jobs.Select(job => job.Id).OrderDescending(), seen);
    }

    [Fact]
    public async Task A_filter_picks_a_state()
    {
        var project = await service.NewProjectAsync();
        var later = new DateTime(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var done = TestJobs.Noop(project.Id);
        var ready = TestJobs.Noop(project.Id) with { RunAt = later };
        var asleep = TestJobs.Noop(project.Id) with { RunAt = later, Kind = "sleep" };
        var failed = TestJobs.Noop(project.Id) with { Kind = "sleep", Args = """{"seconds":601}""" };
        await TestJobs.EnqueueAsync(service, done, ready, asleep, failed);
        await TestJobs.BecomeAsync(project, done.Id, "succeeded");
        await TestJobs.BecomeAsync(project, failed.Id, "failed");

        Assert.Equal([done.Id], await IdsAsync("state=succeeded"));
        Assert.Equal([failed.Id], await IdsAsync("state=failed"));
        Assert.Equal(NewestFirst(ready.Id, asleep.Id), await IdsAsync("state=ready"));
        Assert.Empty(await IdsAsync("state=canceled"));

        async Task<Guid[]> IdsAsync(string query) =>
            Ids(await project.Http.GetFromJsonAsync<JsonElement>($"/v1/jobs?{query}", Token));
    }

    [Fact]
    public async Task An_unknown_state_is_400()
    {
        var project = await service.NewProjectAsync();

        var response = await project.Http.GetAsync("/v1/jobs?state=done", Token);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    private static Guid[] NewestFirst(params Guid[] ids) => [.. ids.OrderDescending()];

    private static Guid[] Ids(JsonElement page) =>
        [.. page.GetProperty("items").EnumerateArray().Select(job => job.GetProperty("id").GetGuid())];
}
