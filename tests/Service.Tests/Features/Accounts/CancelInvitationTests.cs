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

    [Fact]
    public async Task Nobody_takes_back_or_replaces_what_gives_more_than_he_may()
    {
        var project = await service.NewProjectAsync();
        var admin = await TestUser.CreateAsync(service, project.Id, "admin");
        var email = $"next-{Guid.NewGuid():N}@example.com";
        var opened = (await InviteAsync(project.Http, email, "owner")).Expect(HttpStatusCode.Created);
        var path = $"/v1/users/invitations/{opened.Body.GetProperty("id").GetGuid()}";

        (await InviteAsync(admin.Http, email, "viewer")).Expect(HttpStatusCode.Forbidden);
        (await admin.Http.CallAsync("DELETE", path)).Expect(HttpStatusCode.Forbidden);

        (await project.Http.CallAsync("GET", path)).Expect(HttpStatusCode.OK);
        (await InviteAsync(project.Http, email, "viewer")).Expect(HttpStatusCode.Created);
        (await InviteAsync(admin.Http, email, "operator")).Expect(HttpStatusCode.Created);
    }

    private static Task<Answer> InviteAsync(HttpClient http, string email, string role) =>
        http.PostAsync("/v1/users/invite", $$"""{"email":"{{email}}","role":"{{role}}"}""");
}
