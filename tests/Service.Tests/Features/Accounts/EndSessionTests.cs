using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class EndSessionTests(ServiceFixture service)
{
    [Fact]
    public async Task A_user_ends_his_own_session_elsewhere_and_cannot_end_anybody_elses()
    {
        var account = await TestAccount.CreateAsync(service);
        var stranger = await TestAccount.CreateAsync(service);
        using var here = account.SignedIn(await account.CookieAsync());
        using var there = account.SignedIn(await account.CookieAsync());
        using var strange = stranger.SignedIn(await stranger.CookieAsync());
        var mine = (await there.CallAsync("GET", "/v1/auth/sessions"))
            .Body.GetProperty("items")
            .EnumerateArray()
            .Single(one => one.GetProperty("is_current").GetBoolean())
            .GetProperty("id")
            .GetGuid();

        (await strange.CallAsync("DELETE", $"/v1/auth/sessions/{mine}")).Expect(HttpStatusCode.NotFound);
        (await there.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK);
        (await here.CallAsync("DELETE", $"/v1/auth/sessions/{mine}")).Expect(HttpStatusCode.NoContent);
        (await here.CallAsync("DELETE", $"/v1/auth/sessions/{mine}")).Expect(HttpStatusCode.NotFound);

        (await there.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        (await here.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_program_is_signed_out_by_another_one_at_once()
    {
        var user = await TestUser.CreateAsync(service, (await service.NewProjectAsync()).Id);
        var tokens = await TestTokens.BeginAsync(service.Services, user.Id);
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, tokens.Access));
        var family = (await user.Http.CallAsync("GET", "/v1/auth/sessions"))
            .Body.GetProperty("items")
            .EnumerateArray()
            .Single(one => !one.GetProperty("is_current").GetBoolean())
            .GetProperty("id")
            .GetGuid();

        (await user.Http.CallAsync("DELETE", $"/v1/auth/sessions/{family}")).Expect(HttpStatusCode.NoContent);

        Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(service.Address, tokens.Access));
    }
}
