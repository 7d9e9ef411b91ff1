using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class StartTotpTests(ServiceFixture service)
{
    [Fact]
    public async Task It_needs_the_password_and_counts_only_when_it_is_confirmed_and_its_secret_is_sealed()
    {
        var account = await TestAccount.CreateAsync(service);
        using var client = account.SignedIn(await account.CookieAsync());

        (await client.CallAsync("POST", "/v1/auth/totp", """{"password":"wrong"}""")).Expect(
            HttpStatusCode.Unauthorized
        );
        await TestTotp.StartAsync(client);

        await account.CookieAsync(); // without a code
        Assert.StartsWith(
            "v1.",
            await account.AskAsync<string>("SELECT totp_secret FROM users WHERE id = @Id"),
            StringComparison.Ordinal
        );
        var totp = await TestTotp.EnableAsync(client);
        var again = await client.CallAsync("POST", "/v1/auth/totp", $$"""{"password":"{{TestAccount.Password}}"}""");
        Assert.Equal((HttpStatusCode.Conflict, "totp_state"), (again.Status, again.Code));
        Assert.NotEmpty(totp.RecoveryCodes);
    }
}
