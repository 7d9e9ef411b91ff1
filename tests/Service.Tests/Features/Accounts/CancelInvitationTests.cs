using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class CancelInvitationTests(ServiceFixture service)
{
    [Fact]
    public async Task The_token_is_worth_nothing_afterwards_and_another_project_cannot_do_it()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var (_, token) = await RedeemTokenTests.InviteAsync(project, "viewer");
        var id = (await project.Http.CallAsync("GET", "/v1/users/invitations"))
            .Body.GetProperty("items")[0]
            .GetProperty("id")
            .GetGuid();

        (await other.Http.CallAsync("DELETE", $"/v1/users/invitations/{id}")).Expect(HttpStatusCode.NotFound);
        (await project.Http.CallAsync("DELETE", $"/v1/users/invitations/{id}")).Expect(HttpStatusCode.NoContent);
        (await project.Http.CallAsync("DELETE", $"/v1/users/invitations/{id}")).Expect(HttpStatusCode.NotFound);

        using var client = TestAccount.Client(service.Address);
        var answer = await client.CallAsync(
            "POST",
            "/v1/auth/redeem",
            $$"""{"token":"{{token}}","password":"wrong donkey solar clip"}"""
        );
        answer.Expect(HttpStatusCode.Unauthorized);
    }
}
