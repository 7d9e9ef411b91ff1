using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class CreateOwnerTests(ServiceFixture service)
{
    private const string Next = "wrong donkey solar clip";

    [Fact]
    public async Task The_command_prints_a_token_that_makes_the_first_owner_of_its_project()
    {
        var project = await service.NewProjectAsync();
        var email = $"owner-{Guid.NewGuid():N}@example.com";

        var run = await CliProcess.RunAsync(
            CliProcess.On(service),
            "users",
            "create-owner",
            "--email",
            email,
            "--project",
            project.Name
        );

        Assert.True(run.ExitCode == 0, run.Errors);
        Assert.Matches("^bhot_[0-9A-Za-z]{49}$", run.Output);
        Assert.Equal("owner", await RoleAfterAsync(run.Output, email));
    }

    [Fact]
    public async Task Who_has_an_account_gets_a_new_password_and_is_owner_afterwards()
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id, "viewer");
        var token = (await project.SendAsync(new CreateOwner.Command(user.Email))).Unwrap().Token;

        Assert.Equal("owner", await RoleAfterAsync(token, user.Email));
        (await user.Http.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
    }

    private async Task<string?> RoleAfterAsync(string token, string email)
    {
        using var client = TestAccount.Client(service.Address);
        (await client.CallAsync("POST", "/v1/auth/redeem", $$"""{"token":"{{token}}","password":"{{Next}}"}""")).Expect(
            HttpStatusCode.NoContent
        );
        using var answer = await TestAccount.SignInAsync(service.Address, email, Next);
        var me = await client.CallAsync(
            "GET",
            "/v1/auth/me",
            headers: ("Cookie", $"__Host-bellhop={TestAccount.CookieOf(answer)}")
        );
        return me.Body.GetProperty("role").GetString();
    }
}
