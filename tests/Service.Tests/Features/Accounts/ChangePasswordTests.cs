using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class ChangePasswordTests(ServiceFixture service)
{
    private const string Next = "wrong donkey solar clip";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_new_password_counts_at_once_the_browser_goes_on_with_another_session_and_all_others_are_over()
    {
        var account = await TestAccount.CreateAsync(service);
        using var here = account.SignedIn(await account.CookieAsync());
        using var there = account.SignedIn(await account.CookieAsync());
        var epoch = await account.AskAsync<int>("SELECT token_epoch FROM users WHERE id = @Id");

        using var content = new StringContent(Body(TestAccount.Password, Next), null, "application/json");
        using var answer = await here.PostAsync("/v1/auth/password", content, Token);

        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        using var renewed = account.SignedIn(TestAccount.CookieOf(answer));
        (await renewed.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK);
        (await here.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        (await there.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        Assert.Equal(epoch + 1, await account.AskAsync<int>("SELECT token_epoch FROM users WHERE id = @Id"));
        using var old = await account.SignInAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, old.StatusCode);
        await account.CookieAsync(Next);
    }

    [Fact]
    public async Task A_program_goes_on_by_its_refresh_token_and_all_others_are_over()
    {
        var account = await TestAccount.CreateAsync(service, (await service.NewProjectAsync()).Id);
        var (own, other) = (await BeginAsync(account), await BeginAsync(account));
        using var program = service.NewClient(own.Access);

        (await program.PostAsync("/v1/auth/password", Body(TestAccount.Password, Next))).Expect(
            HttpStatusCode.NoContent
        );

        Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(service.Address, own.Access));
        Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(service.Address, other.Access));
        var next = await own.RefreshAsync(service.Address);
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, next.Access));
        var (refused, _) = await TestTokens.AskAsync(
            service.Address,
            new { grant_type = "refresh_token", refresh_token = other.Refresh }
        );
        Assert.Equal(HttpStatusCode.Unauthorized, refused);
    }

    [Fact]
    public async Task A_reset_that_was_asked_for_before_replaces_it_no_more()
    {
        var account = await TestAccount.CreateAsync(service);
        using var here = account.SignedIn(await account.CookieAsync());
        var token = (await service.SendAsync(Guid.Empty, new ResetPassword.Command(account.Email))).Unwrap().Token;

        (await here.PostAsync("/v1/auth/password", Body(TestAccount.Password, Next))).Expect(HttpStatusCode.NoContent);

        using var anybody = TestAccount.Client(service.Address);
        var late = await anybody.PostAsync(
            "/v1/auth/redeem",
            $$"""{"token":"{{token}}","password":"another donkey solar clip"}"""
        );
        Assert.Equal("invalid_token", late.Expect(HttpStatusCode.Unauthorized).Code);
    }

    [Fact]
    public async Task Others_stay_signed_in_where_the_request_says_so()
    {
        var account = await TestAccount.CreateAsync(service);
        using var here = account.SignedIn(await account.CookieAsync());
        using var there = account.SignedIn(await account.CookieAsync());

        var answer = await here.CallAsync(
            "POST",
            "/v1/auth/password",
            $$"""{"current_password":"{{TestAccount.Password}}","new_password":"{{Next}}","end_other_sessions":false}"""
        );

        answer.Expect(HttpStatusCode.NoContent);
        (await there.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("wrong wrong wrong", Next, 401, "invalid_credentials")]
    [InlineData(TestAccount.Password, "short", 422, "invalid")]
    [InlineData(TestAccount.Password, "password12345", 422, "invalid")]
    public async Task It_needs_the_current_one_and_a_sound_new_one(string current, string next, int status, string code)
    {
        var account = await TestAccount.CreateAsync(service);
        using var here = account.SignedIn(await account.CookieAsync());

        var answer = await here.CallAsync("POST", "/v1/auth/password", Body(current, next));

        Assert.Equal((status, code), ((int)answer.Status, answer.Code));
        Assert.DoesNotContain(next, answer.Text, StringComparison.Ordinal);
        await account.CookieAsync();
    }

    private Task<TestTokens> BeginAsync(TestAccount account) => TestTokens.BeginAsync(service.Services, account.Id);

    private static string Body(string current, string next) =>
        $$"""{"current_password":"{{current}}","new_password":"{{next}}"}""";
}
