using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class SignOutTests(ServiceFixture service)
{
    [Fact]
    public async Task The_session_is_over_at_once_and_others_of_the_user_go_on()
    {
        var account = await TestAccount.CreateAsync(service);
        var (cookie, other) = (await account.CookieAsync(), await account.CookieAsync());
        using var here = account.SignedIn(cookie);
        using var there = account.SignedIn(other);

        using var answer = await here.PostAsync("/v1/auth/logout", null, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.StartsWith(
            "__Host-bellhop=; expires=Thu, 01 Jan 1970",
            answer.Headers.GetValues("Set-Cookie").Single(),
            StringComparison.Ordinal
        );
        (await here.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        (await there.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_key_has_nothing_to_sign_out_of()
    {
        var project = await service.NewProjectAsync();

        (await project.Http.CallAsync("POST", "/v1/auth/logout")).Expect(HttpStatusCode.Forbidden);
    }
}
