using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class EndOtherSessionsTests(ServiceFixture service)
{
    [Fact]
    public async Task Everything_else_of_the_user_is_over_at_once_and_nothing_of_others()
    {
        var project = (await service.NewProjectAsync()).Id;
        var (account, stranger) = (
            await TestAccount.CreateAsync(service, project),
            await TestUser.CreateAsync(service, project)
        );
        using var here = account.SignedIn(await account.CookieAsync());
        using var there = account.SignedIn(await account.CookieAsync());
        var program = await TestTokens.BeginAsync(service.Services, account.Id);
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, program.Access));

        (await here.CallAsync("DELETE", "/v1/auth/sessions")).Expect(HttpStatusCode.NoContent);

        (await here.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK);
        (await there.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(service.Address, program.Access));
        (await stranger.Http.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK);
    }
}
