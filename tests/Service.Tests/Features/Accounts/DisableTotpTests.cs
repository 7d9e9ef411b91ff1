using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class DisableTotpTests(ServiceFixture service)
{
    [Fact]
    public async Task It_needs_the_password_and_a_code_and_then_the_password_is_enough()
    {
        var account = await TestAccount.CreateAsync(service);
        using var client = account.SignedIn(await account.CookieAsync());
        var totp = await TestTotp.EnableAsync(client);

        (await EndAsync(client, "wrong", totp.Code())).Expect(HttpStatusCode.Unauthorized);
        (await EndAsync(client, TestAccount.Password, "000000")).Expect(HttpStatusCode.Unauthorized);
        (await EndAsync(client, TestAccount.Password, totp.RecoveryCodes[0])).Expect(HttpStatusCode.NoContent);

        await account.CookieAsync();
        Assert.Equal(0, await account.AskAsync<long>("SELECT count(*) FROM recovery_codes WHERE user_id = @Id"));
        Assert.Equal("totp_state", (await EndAsync(client, TestAccount.Password, "000000")).Code);
    }

    private static Task<Answer> EndAsync(HttpClient client, string password, string totp) =>
        client.CallAsync("POST", "/v1/auth/totp/disable", $$"""{"password":"{{password}}","totp":"{{totp}}"}""");
}
