using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class DisableUserTests(ServiceFixture service)
{
    [Fact]
    public async Task A_user_is_out_at_once_and_stays_out()
    {
        var account = await TestAccount.CreateAsync(service);
        using var client = account.SignedIn(await account.CookieAsync());

        (await service.SendAsync(Guid.Empty, new DisableUser.Command(account.Email))).Unwrap();

        (await client.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        using var again = await account.SignInAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, again.StatusCode);
        Assert.Equal(
            1,
            await account.AskAsync<long>(
                "SELECT count(*) FROM audit_entries WHERE target_id = @Id AND action = 'users.disable'"
            )
        );
    }
}
