using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class ResumeQueueTests(ServiceFixture service)
{
    [Fact]
    public async Task What_waited_is_started_at_once()
    {
        var project = await service.NewProjectAsync();
        var http = project.Http;
        await http.PostAsync("/v1/queues/default/pause", "");
        var job = (await http.PostAsync("/v1/jobs", """{"kind":"noop"}""")).Expect(HttpStatusCode.Created);

        var resumed = (await http.PostAsync("/v1/queues/default/resume", "")).Expect(HttpStatusCode.OK);

        Assert.Equal("null", resumed.Body.GetProperty("paused_at").GetRawText());
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        var entries = (await http.CallAsync("GET", "/v1/audit?action=queues.resume")).Body.GetProperty("items");
        Assert.Single(entries.EnumerateArray());
    }

    [Fact]
    public async Task A_queue_that_is_not_paused_stays_as_it_is()
    {
        var http = (await service.NewProjectAsync()).Http;
        var before = await http.CallAsync("GET", "/v1/queues/default");

        var resumed = (await http.PostAsync("/v1/queues/default/resume", "")).Expect(HttpStatusCode.OK);

        Assert.Equal(before.Text, resumed.Text);
    }
}
