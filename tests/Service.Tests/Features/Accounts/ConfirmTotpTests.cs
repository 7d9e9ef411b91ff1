using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class ConfirmTotpTests(ServiceFixture service)
{
    [Fact]
    public async Task From_then_on_a_code_is_wanted_of_who_has_the_password_and_each_is_taken_once()
    {
        var account = await TestAccount.CreateAsync(service);
        using var client = account.SignedIn(await account.CookieAsync());
        var totp = await TestTotp.EnableAsync(client);
        var code = totp.Code();

        Assert.Equal("401 totp_required", await TryAsync(account, TestAccount.Password, null));
        Assert.Equal("401 invalid_credentials", await TryAsync(account, "wrong", null));
        Assert.Equal("401 invalid_credentials", await TryAsync(account, "wrong", code));
        Assert.Equal("401 invalid_credentials", await TryAsync(account, TestAccount.Password, "000000"));
        var both = await Task.WhenAll(
            TryAsync(account, TestAccount.Password, code),
            TryAsync(account, TestAccount.Password, code)
        );
        Assert.Single(both, answer => answer.StartsWith("204", StringComparison.Ordinal));
        Assert.Equal("401 invalid_credentials", await TryAsync(account, TestAccount.Password, code));
        Assert.Equal(
            "totp",
            await account.AskAsync<string>("SELECT method FROM sessions WHERE user_id = @Id ORDER BY id DESC LIMIT 1")
        );
    }

    [Fact]
    public async Task A_recovery_code_stands_in_once()
    {
        var account = await TestAccount.CreateAsync(service);
        using var client = account.SignedIn(await account.CookieAsync());
        var totp = await TestTotp.EnableAsync(client);
        Assert.Equal(10, totp.RecoveryCodes.Distinct().Count());

        Assert.Equal("204 ", await TryAsync(account, TestAccount.Password, totp.RecoveryCodes[0].ToUpperInvariant()));
        Assert.Equal("401 invalid_credentials", await TryAsync(account, TestAccount.Password, totp.RecoveryCodes[0]));
        Assert.Equal("204 ", await TryAsync(account, TestAccount.Password, totp.RecoveryCodes[1]));
    }

    [Fact]
    public async Task Asking_without_a_code_does_not_forget_the_wrong_ones()
    {
        var account = await TestAccount.CreateAsync(service);
        using var client = account.SignedIn(await account.CookieAsync());
        await TestTotp.EnableAsync(client);

        for (var i = 0; i < 5; i++)
        {
            Assert.Equal("401 totp_required", await TryAsync(account, TestAccount.Password, null));
            Assert.Equal("401 invalid_credentials", await TryAsync(account, TestAccount.Password, "000000"));
        }

        Assert.Equal("429 rate_limited", await TryAsync(account, TestAccount.Password, null));
    }

    [Fact]
    public async Task A_wrong_code_turns_nothing_on()
    {
        var account = await TestAccount.CreateAsync(service);
        using var client = account.SignedIn(await account.CookieAsync());

        var early = await client.CallAsync("POST", "/v1/auth/totp/confirm", """{"code":"123456"}""");
        var secret = await TestTotp.StartAsync(client);
        var wrong = new TestTotp(secret, []).Code(100);
        var answer = await client.CallAsync("POST", "/v1/auth/totp/confirm", $$"""{"code":"{{wrong}}"}""");

        Assert.Equal("totp_state", early.Code);
        answer.Expect(HttpStatusCode.UnprocessableEntity);
        await account.CookieAsync();
    }

    private static async Task<string> TryAsync(TestAccount account, string password, string? totp)
    {
        using var answer = await account.SignInAsync(password, totp);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        var code = global::System.Text.RegularExpressions.Regex.Match(text, "\"code\":\"([a-z_]+)\"").Groups[1].Value;
        return $"{(int)answer.StatusCode} {code}";
    }
}
