using System.Net;
using System.Net.Http.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class RevokeTokenTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_revoked_login_is_over_at_once_here()
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id);
        var tokens = await TestTokens.BeginAsync(service.Services, user.Id);
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, tokens.Access));

        Assert.Equal(HttpStatusCode.NoContent, await RevokeAsync(tokens.Refresh));

        Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(service.Address, tokens.Access));
        var (status, _) = await TestTokens.AskAsync(
            service.Address,
            new { grant_type = "refresh_token", refresh_token = tokens.Refresh }
        );
        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Equal(HttpStatusCode.NoContent, await RevokeAsync(tokens.Refresh));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("bhrt_0000000000000000000000000000000000000000000000000")]
    public async Task The_answer_to_what_is_none_is_the_same(string text) =>
        Assert.Equal(HttpStatusCode.NoContent, await RevokeAsync(text));

    private async Task<HttpStatusCode> RevokeAsync(string text)
    {
        using var client = service.NewClient();
        using var answer = await client.PostAsJsonAsync("/v1/auth/revoke", new { refresh_token = text }, Token);
        return answer.StatusCode;
    }
}
