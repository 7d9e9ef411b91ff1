using System.Net;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class ListSessionsTests(ServiceFixture service)
{
    [Fact]
    public async Task A_user_sees_his_browsers_and_programs_and_nobody_elses()
    {
        var account = await TestAccount.CreateAsync(service);
        var stranger = await TestAccount.CreateAsync(service);
        await stranger.CookieAsync();
        var cookie = await account.CookieAsync();
        await account.CookieAsync();
        await account.ExecuteAsync(
            "INSERT INTO token_families (user_id, id, token_epoch, created_at, expires_at) VALUES (@Id, new_id(), 1, now(), now() + interval '1 day')"
        );
        using var client = account.SignedIn(cookie);

        var seen = new List<JsonElement>();
        string? path = "/v1/auth/sessions?limit=2";
        while (path is not null)
        {
            var page = (await client.CallAsync("GET", path)).Expect(HttpStatusCode.OK).Body;
            seen.AddRange(page.GetProperty("items").EnumerateArray());
            var cursor = page.GetProperty("next_cursor").GetString();
            path = cursor is null ? null : $"/v1/auth/sessions?limit=2&cursor={cursor}";
        }

        Assert.Equal(3, seen.Count);
        Assert.Equal(
            ["session", "session", "token"],
            seen.Select(one => one.GetProperty("kind").GetString()!).Order(StringComparer.Ordinal)
        );
        Assert.Single(seen, one => one.GetProperty("is_current").GetBoolean());
    }
}
