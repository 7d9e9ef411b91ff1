using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class ResetPasswordTests(ServiceFixture service)
{
    [Fact]
    public async Task A_token_is_printed_for_who_has_an_account_and_the_password_counts_until_it_is_redeemed()
    {
        var account = await TestAccount.CreateAsync(service);

        var made = (
            await service.SendAsync(Guid.Empty, new ResetPassword.Command(account.Email.ToUpperInvariant()))
        ).Unwrap();
        var nobody = await service.SendAsync(Guid.Empty, new ResetPassword.Command("nobody@x.example"));

        Assert.Matches("^bhot_[0-9A-Za-z]{49}$", made.Token);
        Assert.DoesNotContain(made.Token, $"{made}", StringComparison.Ordinal);
        Assert.Equal("not_found", nobody.Problem?.Kind.Code);
        await account.CookieAsync();
    }
}
