using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class ListInvitationsTests(ServiceFixture service)
{
    [Fact]
    public async Task Open_ones_of_the_project_are_listed_newest_first_and_only_for_who_manages_members()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        await RedeemTokenTests.InviteAsync(other, "viewer");
        var emails = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            emails.Insert(0, (await RedeemTokenTests.InviteAsync(project, "viewer")).Email);
        }

        var page = (await project.Http.CallAsync("GET", "/v1/users/invitations")).Expect(HttpStatusCode.OK);

        Assert.Equal(
            emails,
            page.Body.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("email").GetString()!)
        );
        var viewer = await TestUser.CreateAsync(service, project.Id, "viewer");
        (await viewer.Http.CallAsync("GET", "/v1/users/invitations")).Expect(HttpStatusCode.Forbidden);
    }
}
