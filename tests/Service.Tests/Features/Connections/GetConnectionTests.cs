using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class GetConnectionTests(ServiceFixture service)
{
    [Fact]
    public async Task One_is_found_by_its_id_and_by_its_name_without_its_secret()
    {
        var project = await service.NewProjectAsync();
        var made = await project.MakeAsync("mine", TestConnections.Sound["http"].Replace("\"s\"", "\"canary-8c2\""));

        var byName = await project.Http.CallAsync("GET", $"{TestConnections.Path}/mine");
        var byId = await project.Http.CallAsync("GET", $"{TestConnections.Path}/{made.Id}");
        var missing = await project.Http.CallAsync("GET", $"{TestConnections.Path}/yours");

        Assert.Equal((HttpStatusCode.OK, byId.Text), (byName.Status, byName.Text));
        Assert.DoesNotContain("canary", byId.Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, missing.Status);
    }
}
