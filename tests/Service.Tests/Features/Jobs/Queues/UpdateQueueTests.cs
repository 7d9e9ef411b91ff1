using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class UpdateQueueTests(ServiceFixture service)
{
    [Fact]
    public async Task What_is_left_out_has_its_default_again_and_a_pause_stays()
    {
        var http = (await service.NewProjectAsync()).Http;
        await http.PostAsync("/v1/queues", """{"name":"q","max_running":4,"lease_seconds":60}""");
        await http.PostAsync("/v1/queues/q/pause", "");

        var put = await http.ChangeAsync("PUT", "/v1/queues/q", """{"weight":5}""", "*");

        var queue = put.Expect(HttpStatusCode.OK).Body;
        Assert.Equal("null", queue.GetProperty("max_running").GetRawText());
        Assert.Equal((30, 5), (queue.GetProperty("lease_seconds").GetInt32(), queue.GetProperty("weight").GetInt32()));
        Assert.NotEqual("null", queue.GetProperty("paused_at").GetRawText());
    }

    [Fact]
    public async Task A_queue_that_every_project_has_keeps_its_server_and_its_own_default_of_retries()
    {
        var http = (await service.NewProjectAsync()).Http;

        var put = await http.ChangeAsync("PUT", "/v1/queues/automations", """{"max_running":8}""", "*");
        var moved = await http.ChangeAsync("PUT", "/v1/queues/automations", """{"served_by":"workers"}""", "*");

        var queue = put.Expect(HttpStatusCode.OK).Body;
        Assert.Equal("service", queue.GetProperty("served_by").GetString());
        Assert.Equal(60, queue.GetProperty("retry").GetProperty("max_seconds").GetInt32());
        Assert.Equal(
            "/served_by",
            moved
                .Expect(HttpStatusCode.UnprocessableEntity)
                .Body.GetProperty("errors")[0]
                .GetProperty("pointer")
                .GetString()
        );
    }
}
