using System.Text.Json;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class ListSigningKeysTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Anybody_sees_the_public_halves_and_may_keep_them_for_five_minutes()
    {
        using var nobody = service.NewClient();

        using var answer = await nobody.GetAsync("/.well-known/jwks.json", Token);

        Assert.Equal("public, max-age=300", answer.Headers.CacheControl!.ToString());
        var keys = JsonElement.Parse(await answer.Content.ReadAsStringAsync(Token)).GetProperty("keys");
        Assert.True(keys.GetArrayLength() >= 2);
        Assert.All(
            keys.EnumerateArray(),
            key =>
            {
                Assert.Equal(
                    ["kid", "use", "alg", "kty", "crv", "x", "y"],
                    key.EnumerateObject().Select(member => member.Name)
                );
                Assert.Equal("ES256", key.GetProperty("alg").GetString());
            }
        );
    }

    [Fact]
    public async Task Two_replicas_that_need_the_first_keys_at_once_make_the_same()
    {
        await using var own = await OwnService.StartAsync(service);
        await using var other = await OwnService.StartAsync(service, beside: own);
        using var here = new HttpClient { BaseAddress = own.Address };
        using var there = new HttpClient { BaseAddress = other.Address };

        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 10)
                .Select(turn => (turn % 2 == 0 ? here : there).GetStringAsync("/.well-known/jwks.json", Token))
        );

        Assert.Single(answers.Distinct());
        await using var connection = await own.Database.OpenConnectionAsync(Token);
        var states = await connection.QueryAsync<string>(
            "SELECT state FROM signing_keys ORDER BY state".With(null, Token)
        );
        Assert.Equal(["current", "next"], states);
    }
}
