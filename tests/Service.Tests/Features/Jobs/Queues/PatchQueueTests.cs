using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class PatchQueueTests(ServiceFixture service)
{
    [Fact]
    public async Task Who_serves_it_changes_only_while_it_has_no_unfinished_jobs()
    {
        var project = await service.NewProjectAsync();
        var http = project.Http;
        await http.PostAsync("/v1/queues", """{"name":"q"}""");
        (await http.PostAsync("/v1/queues/q/pause", "")).Expect(HttpStatusCode.OK);
        var job = (await http.PostAsync("/v1/jobs", """{"queue":"q","kind":"theirs"}""")).Expect(
            HttpStatusCode.Created
        );

        var full = await http.ChangeAsync("PATCH", "/v1/queues/q", """{"served_by":"service"}""", "*");
        var same = await http.ChangeAsync("PATCH", "/v1/queues/q", """{"served_by":"workers","weight":2}""", "*");
        await TestJobs.ExecuteAsync(
            service.Database,
            "DELETE FROM jobs WHERE project_id = @Project AND id = @Id",
            new { Project = project.Id, job.Id }
        );
        var empty = await http.ChangeAsync("PATCH", "/v1/queues/q", """{"served_by":"service"}""", "*");

        Assert.Equal("queue_not_empty", full.Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal("/served_by", full.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
        same.Expect(HttpStatusCode.OK);
        Assert.Equal("service", empty.Expect(HttpStatusCode.OK).Body.GetProperty("served_by").GetString());
    }

    [Fact]
    public async Task Lanes_are_ordered_one_at_a_time()
    {
        var http = (await service.NewProjectAsync()).Http;
        await http.PostAsync("/v1/queues", """{"name":"q","lane_ordered":true}""");

        var wider = await http.ChangeAsync("PATCH", "/v1/queues/q", """{"lane_limit":3}""", "*");
        var both = await http.ChangeAsync("PATCH", "/v1/queues/q", """{"lane_limit":3,"lane_ordered":false}""", "*");

        Assert.Equal(
            "/lane_limit",
            wider
                .Expect(HttpStatusCode.UnprocessableEntity)
                .Body.GetProperty("errors")[0]
                .GetProperty("pointer")
                .GetString()
        );
        Assert.Equal(3, both.Expect(HttpStatusCode.OK).Body.GetProperty("lane_limit").GetInt32());
    }

    [Fact]
    public async Task It_is_on_record_with_before_and_after()
    {
        var http = (await service.NewProjectAsync()).Http;
        await http.PostAsync("/v1/queues", """{"name":"q","max_running":4}""");

        await http.ChangeAsync("PATCH", "/v1/queues/q", """{"max_running":5}""", "*");

        var list = await http.CallAsync("GET", "/v1/audit?action=queues.update&target=queues/q");
        var id = list.Expect(HttpStatusCode.OK).Body.GetProperty("items")[0].GetProperty("id").GetGuid();
        var entry = (await http.CallAsync("GET", $"/v1/audit/{id}")).Body;
        Assert.Equal(4, entry.GetProperty("before").GetProperty("max_running").GetInt32());
        Assert.Equal(5, entry.GetProperty("after").GetProperty("max_running").GetInt32());
    }
}
