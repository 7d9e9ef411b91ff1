using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class EnableUserTests(ServiceFixture service)
{
    [Fact]
    public async Task A_user_who_was_shut_out_signs_in_again_and_his_old_sessions_stay_dead()
    {
        var account = await TestAccount.CreateAsync(service);
        using var client = account.SignedIn(await account.CookieAsync());
        (await service.SendAsync(Guid.Empty, new DisableUser.Command(account.Email))).Unwrap();

        (await service.SendAsync(Guid.Empty, new EnableUser.Command(account.Email))).Unwrap();

        (await client.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        await account.CookieAsync();
    }
}
