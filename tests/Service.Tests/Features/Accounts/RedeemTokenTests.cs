using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class RedeemTokenTests(ServiceFixture service)
{
    private const string Next = "wrong donkey solar clip";

    [Fact]
    public async Task Who_is_invited_and_has_no_account_gets_one_with_his_password_and_the_token_is_spent()
    {
        var project = await service.NewProjectAsync();
        var (email, token) = await InviteAsync(project, "operator");

        (await RedeemAsync(token, Next)).Expect(HttpStatusCode.NoContent);
        (await RedeemAsync(token, Next)).Expect(HttpStatusCode.Unauthorized);

        using var answer = await TestAccount.SignInAsync(service.Address, email, Next);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        using var client = TestAccount.Client(service.Address);
        var me = await client.CallAsync(
            "GET",
            "/v1/auth/me",
            headers: ("Cookie", $"__Host-bellhop={TestAccount.CookieOf(answer)}")
        );
        Assert.Equal("operator", me.Body.GetProperty("role").GetString());
        Assert.Equal(project.Id, me.Body.GetProperty("project_id").GetGuid());
    }

    [Fact]
    public async Task Where_there_is_an_account_its_own_password_makes_it_a_member_and_another_one_is_as_a_wrong_token()
    {
        var project = await service.NewProjectAsync();
        var account = await TestAccount.CreateAsync(service);
        var (_, token) = await InviteAsync(project, "viewer", account.Email);

        var other = await RedeemAsync(token, Next);
        var none = await RedeemAsync(OneTimeToken.Create(), Next);
        (await RedeemAsync(token, TestAccount.Password)).Expect(HttpStatusCode.NoContent);

        Assert.Equal((HttpStatusCode.Unauthorized, "invalid_token"), (other.Status, other.Code));
        Assert.Equal(other.Body.GetProperty("detail").GetString(), none.Body.GetProperty("detail").GetString());
        using var client = account.SignedIn(await account.CookieAsync());
        var me = (await client.CallAsync("GET", "/v1/auth/me")).Body;
        Assert.Equal("viewer", me.GetProperty("memberships")[0].GetProperty("role").GetString());
    }

    [Fact]
    public async Task A_password_that_is_refused_does_not_use_the_token_up()
    {
        var project = await service.NewProjectAsync();
        var (email, token) = await InviteAsync(project, "viewer", $"long-address-{Guid.NewGuid():N}@example.com");

        (await RedeemAsync(token, "short")).Expect(HttpStatusCode.UnprocessableEntity);
        (await RedeemAsync(token, email)).Expect(HttpStatusCode.UnprocessableEntity);
        (await RedeemAsync(token, "password12345")).Expect(HttpStatusCode.UnprocessableEntity);
        (await RedeemAsync(token, Next)).Expect(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Of_ten_who_redeem_at_once_one_is_taken()
    {
        var project = await service.NewProjectAsync();
        var (_, token) = await InviteAsync(project, "viewer");

        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => RedeemAsync(token, Next)));

        Assert.Single(answers, answer => answer.Status == HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task A_reset_sets_the_password_and_ends_what_was_signed_in_on_every_replica()
    {
        await using var own = await OwnService.StartAsync(service);
        await using var beside = await OwnService.StartAsync(service, beside: own);
        var account = await TestAccount.CreateAsync(own, own.ProjectId);
        using var there = account.SignedIn(await account.CookieAsync(), beside.Address);
        (await there.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK);
        var token = (await own.SendAsync(own.ProjectId, new ResetPassword.Command(account.Email))).Unwrap().Token;

        (await RedeemAsync(token, Next, own.Address)).Expect(HttpStatusCode.NoContent);

        (await there.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        using var old = await account.SignInAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, old.StatusCode);
        await account.CookieAsync(Next);
    }

    [Theory]
    [InlineData("expires_at = now()")]
    [InlineData("used_at = now()")]
    public async Task What_is_too_old_or_used_is_worth_nothing(string set)
    {
        var project = await service.NewProjectAsync();
        var (email, token) = await InviteAsync(project, "viewer");
        var row = new TestAccount(Guid.Empty, email, service.Database, service.Address);

        await row.ExecuteAsync($"UPDATE one_time_tokens SET {set} WHERE email = @Email");

        (await RedeemAsync(token, Next)).Expect(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_project_is_not_told_which_role_somebody_has_in_another_one_but_of_his_new_password()
    {
        var (here, there) = (await service.NewProjectAsync(), await service.NewProjectAsync());
        var account = await TestAccount.CreateAsync(service, there.Id);
        var (_, invitation) = await InviteAsync(here, "admin", account.Email);
        var owner = (await here.SendAsync(new CreateOwner.Command(account.Email))).Unwrap().Token;

        (await RedeemAsync(invitation, TestAccount.Password)).Expect(HttpStatusCode.NoContent);
        (await RedeemAsync(owner, Next)).Expect(HttpStatusCode.NoContent);

        var path = $"/v1/audit?target=users/{account.Email}&action=";
        var redeemed = await here.Http.CallAsync("GET", $"{path}users.redeem");
        Assert.Equal(2, redeemed.Body.GetProperty("items").GetArrayLength());
        var told = await there.Http.CallAsync("GET", $"{path}users.redeem");
        Assert.Equal(0, told.Body.GetProperty("items").GetArrayLength());
        var changed = await there.Http.CallAsync("GET", $"{path}users.password_change");
        Assert.Equal(1, changed.Body.GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task Nobody_joins_an_archived_project_but_by_the_command_line_until_it_is_restored()
    {
        var project = await service.NewProjectAsync();
        var owner = await TestUser.CreateAsync(service, project.Id);
        var (_, token) = await InviteAsync(project, "viewer");
        (await owner.Http.PostAsync($"/v1/projects/{project.Id}/archive", "{}")).Expect(HttpStatusCode.OK);

        var early = await RedeemAsync(token, Next);
        var another = (await project.SendAsync(new CreateOwner.Command($"u-{Guid.NewGuid():N}@example.com"))).Unwrap();
        (await RedeemAsync(another.Token, Next)).Expect(HttpStatusCode.NoContent);
        (await owner.Http.PostAsync($"/v1/projects/{project.Id}/restore", "{}")).Expect(HttpStatusCode.OK);

        Assert.Equal((HttpStatusCode.Unauthorized, "invalid_token"), (early.Status, early.Code));
        (await RedeemAsync(token, Next)).Expect(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task A_disabled_user_redeems_nothing()
    {
        var account = await TestAccount.CreateAsync(service);
        var token = (await service.SendAsync(Guid.Empty, new ResetPassword.Command(account.Email))).Unwrap().Token;
        await account.SetAsync("disabled_at = now()");

        (await RedeemAsync(token, Next)).Expect(HttpStatusCode.Unauthorized);
    }

    internal static async Task<(string Email, string Token)> InviteAsync(
        TestProject project,
        string role,
        string? email = null
    )
    {
        email ??= $"u-{Guid.NewGuid():N}@example.com";
        var made = await project.SendAsync(new InviteUser.Command(new InvitationDocument(email, role), Prints: true));
        return (email, made.Unwrap().Token!);
    }

    private async Task<Answer> RedeemAsync(string token, string password, Uri? address = null)
    {
        using var client = TestAccount.Client(address ?? service.Address);
        return await client.CallAsync(
            "POST",
            "/v1/auth/redeem",
            $$"""{"token":"{{token}}","password":"{{password}}"}"""
        );
    }
}
