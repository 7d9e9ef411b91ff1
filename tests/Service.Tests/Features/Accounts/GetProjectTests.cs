using System.Net;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class GetProjectTests(ServiceFixture service)
{
    [Fact]
    public async Task A_member_sees_it_by_id_and_name_whichever_project_he_acts_in()
    {
        var (project, other) = (await service.NewProjectAsync(), await service.NewProjectAsync());
        var user = await TestUser.CreateAsync(service, project.Id, "viewer");

        var byId = (await user.Http.CallAsync("GET", $"/v1/projects/{project.Id}")).Expect(HttpStatusCode.OK);
        var byName = await user.Http.CallAsync("GET", $"/v1/projects/{project.Name}");
        var strangers = await user.Http.CallAsync("GET", $"/v1/projects/{other.Name}");
        var nobodys = await user.Http.CallAsync("GET", "/v1/projects/there-is-none");

        Assert.Equal((project.Name, project.Id), (byId.Body.GetProperty("name").GetString(), byId.Id));
        Assert.Equal((byId.Text, byId.ETag), (byName.Text, byName.ETag));
        Assert.Equal(
            (HttpStatusCode.NotFound, "not_found", strangers.Body.GetProperty("detail").GetString()),
            (nobodys.Status, nobodys.Code, nobodys.Body.GetProperty("detail").GetString())
        );
    }

    [Fact]
    public async Task What_narrows_the_membership_there_narrows_this_too()
    {
        var project = await service.NewProjectAsync();
        var access = new Access { AllowNetworks = ["203.0.113.0/24"] };
        var user = await TestUser.CreateAsync(service, project.Id, access: access);

        (await user.Http.CallAsync("GET", $"/v1/projects/{project.Id}")).Expect(HttpStatusCode.Forbidden);
    }
}
