using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class GetMemberTests(ServiceFixture service)
{
    [Fact]
    public async Task A_member_is_found_by_id_and_by_address_however_it_is_written()
    {
        var project = await service.NewProjectAsync();
        var viewer = await TestUser.CreateAsync(service, project.Id, "viewer");

        var byId = (await project.Http.CallAsync("GET", $"/v1/members/{viewer.MemberId}")).Expect(HttpStatusCode.OK);
        var byAddress = await project.Http.CallAsync("GET", $"/v1/members/{viewer.Email.ToUpperInvariant()}");

        Assert.Equal((byId.Text, byId.ETag), (byAddress.Text, byAddress.ETag));
        Assert.Equal(viewer.Email, byId.Body.GetProperty("email").GetString());
    }

    [Fact]
    public async Task Who_is_a_member_elsewhere_is_none_here()
    {
        var (project, elsewhere) = (await service.NewProjectAsync(), await service.NewProjectAsync());
        var other = await TestUser.CreateAsync(service, elsewhere.Id);

        (await project.Http.CallAsync("GET", $"/v1/members/{other.MemberId}")).Expect(HttpStatusCode.NotFound);
        (await project.Http.CallAsync("GET", $"/v1/members/{other.Email}")).Expect(HttpStatusCode.NotFound);
    }
}
