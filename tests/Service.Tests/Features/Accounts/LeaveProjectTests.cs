using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class LeaveProjectTests(ServiceFixture service)
{
    [Fact]
    public async Task Anybody_may_but_for_the_last_owner()
    {
        var project = await service.NewProjectAsync();
        var owner = await TestUser.CreateAsync(service, project.Id);
        var viewer = await TestUser.CreateAsync(service, project.Id, "viewer");
        (await viewer.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);

        (await viewer.Http.PostAsync($"/v1/projects/{project.Name}/leave", "{}")).Expect(HttpStatusCode.NoContent);
        var last = await owner.Http.PostAsync($"/v1/projects/{project.Name}/leave", "{}");

        (await viewer.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.NotFound);
        Assert.Equal("last_owner", last.Expect(HttpStatusCode.Conflict).Code);
        (await owner.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);
        var audit = await project.Http.CallAsync("GET", $"/v1/audit?target=members/{viewer.Email}");
        Assert.Equal("members.leave", audit.Body.GetProperty("items")[0].GetProperty("action").GetString());
    }
}
