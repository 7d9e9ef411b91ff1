using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class GetQueueTests(ServiceFixture service)
{
    [Theory]
    [InlineData("default", 3600)]
    [InlineData("automations", 60)]
    [InlineData("webhooks", 60)]
    public async Task The_queues_that_every_project_has_are_shown_as_such(string name, int maxSeconds)
    {
        var http = (await service.NewProjectAsync()).Http;

        var queue = (await http.CallAsync("GET", $"/v1/queues/{name}")).Expect(HttpStatusCode.OK).Body;

        Assert.True(queue.GetProperty("built_in").GetBoolean());
        Assert.Equal("service", queue.GetProperty("served_by").GetString());
        Assert.Equal(maxSeconds, queue.GetProperty("retry").GetProperty("max_seconds").GetInt32());
    }

    [Fact]
    public async Task A_queue_is_found_by_id_and_by_name_in_its_own_project_only()
    {
        var project = await service.NewProjectAsync();
        var other = (await service.NewProjectAsync()).Http;
        var made = await project.Http.PostAsync("/v1/queues", """{"name":"q"}""");

        (await project.Http.CallAsync("GET", "/v1/queues/q")).Expect(HttpStatusCode.OK);
        (await project.Http.CallAsync("GET", $"/v1/queues/{made.Id}")).Expect(HttpStatusCode.OK);
        (await other.CallAsync("GET", "/v1/queues/q")).Expect(HttpStatusCode.NotFound);
        (await other.CallAsync("GET", $"/v1/queues/{made.Id}")).Expect(HttpStatusCode.NotFound);
    }
}
