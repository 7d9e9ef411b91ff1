using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Accounts.Tokens;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>Tokens of a test's user, of a login that was put there; the tests of signing in sign in.</summary>
internal sealed record TestTokens(string Access, string Refresh)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<TestTokens> BeginAsync(IServiceProvider services, Guid userId, int epoch = 1)
    {
        await using var connection = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(Token);
        var family = await services
            .GetRequiredService<RefreshTokens>()
            .BeginAsync(connection, userId, epoch, IPAddress.Loopback, "tests", Token);
        var access = await services
            .GetRequiredService<AccessTokens>()
            .OfUserAsync(userId, family!.Id, family.Epoch, family.ExpiresAt, Token);
        return new TestTokens(access.Text, family.Refresh.Text);
    }

    public static async Task<(HttpStatusCode Status, JsonElement Body)> AskAsync(Uri address, object grant)
    {
        using var client = new HttpClient { BaseAddress = address };
        using var answer = await client.PostAsJsonAsync("/v1/auth/token", grant, Token);
        return (answer.StatusCode, JsonElement.Parse(await answer.Content.ReadAsStringAsync(Token)));
    }

    /// <summary>Spends the refresh token; fails where that is refused.</summary>
    public async Task<TestTokens> RefreshAsync(Uri address)
    {
        var (status, body) = await AskAsync(address, new { grant_type = "refresh_token", refresh_token = Refresh });
        Assert.Equal(HttpStatusCode.OK, status);
        return new TestTokens(
            body.GetProperty("access_token").GetString()!,
            body.GetProperty("refresh_token").GetString()!
        );
    }

    /// <summary>Whether the access token opens anything.</summary>
    public static async Task<HttpStatusCode> TryAsync(Uri address, string token, string path = "/v1/jobs")
    {
        using var client = new HttpClient { BaseAddress = address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await client.GetAsync(path, Token);
        return answer.StatusCode;
    }
}
