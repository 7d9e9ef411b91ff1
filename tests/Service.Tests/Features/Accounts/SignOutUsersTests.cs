using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class SignOutUsersTests(ServiceFixture service)
{
    [Fact]
    public async Task All_that_one_or_everybody_is_signed_in_with_is_over()
    {
        await using var own = await OwnService.StartAsync(service);
        var (first, second) = (await TestAccount.CreateAsync(own), await TestAccount.CreateAsync(own));
        using var one = first.SignedIn(await first.CookieAsync());
        using var other = second.SignedIn(await second.CookieAsync());

        await own.SendAsync(new SignOutUsers.Command(first.Email, All: false));
        (await one.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        (await other.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK);

        Assert.Equal(2, (await own.SendAsync(new SignOutUsers.Command(null, All: true))).Users);
        (await other.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        Assert.Equal(3, await first.AskAsync<int>("SELECT token_epoch FROM users WHERE id = @Id"));
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("a@x.example", true)]
    public async Task It_is_said_who_is_meant(string? email, bool all) =>
        Assert.Equal(
            "invalid",
            (await service.SendAsync(Guid.Empty, new SignOutUsers.Command(email, all))).Problem?.Kind.Code
        );
}
