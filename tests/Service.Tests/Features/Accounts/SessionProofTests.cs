using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class SessionProofTests(ServiceFixture service)
{
    private const string Job = """{"kind":"noop"}""";

    [Theory]
    [InlineData(null, null, false)]
    [InlineData("same-origin", null, false)]
    [InlineData(null, "own", false)]
    [InlineData("same-origin", "own", true)]
    [InlineData("same-origin", "https://evil.example", false)]
    [InlineData("cross-site", "own", false)]
    [InlineData("same-site", "own", false)]
    [InlineData("same-origin", "null", false)]
    public async Task A_change_needs_a_browser_that_says_it_comes_from_our_own_page(
        string? site,
        string? origin,
        bool isDone
    )
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id);
        using var client = TestAccount.Client(service.Address);
        client.DefaultRequestHeaders.Add("Cookie", $"__Host-bellhop={user.Cookie}");
        var headers = new List<(string, string)>();
        if (site is not null)
        {
            headers.Add(("Sec-Fetch-Site", site));
        }

        if (origin is not null)
        {
            headers.Add(("Origin", origin == "own" ? service.Address.GetLeftPart(UriPartial.Authority) : origin));
        }

        var change = await client.CallAsync("POST", "/v1/jobs", Job, headers: [.. headers]);
        var own = await client.CallAsync("POST", "/v1/auth/logout", headers: [.. headers]);

        Assert.Equal(
            isDone ? (HttpStatusCode.Created, null) : (HttpStatusCode.Forbidden, "csrf"),
            (change.Status, change.Code)
        );
        Assert.Equal(
            isDone ? (HttpStatusCode.NoContent, null) : (HttpStatusCode.Forbidden, "csrf"),
            (own.Status, own.Code)
        );
    }

    [Fact]
    public async Task Or_the_token_that_only_pages_of_ours_can_read_and_of_this_session()
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id);
        var other = await TestUser.CreateAsync(service, project.Id);
        using var client = TestAccount.Client(service.Address);
        client.DefaultRequestHeaders.Add("Cookie", $"__Host-bellhop={user.Cookie}");
        var mine = await TokenAsync(user);
        var his = await TokenAsync(other);

        foreach (var (token, status) in new[] { (mine, 201), (his, 403), ("", 403), (mine[..^1], 403) })
        {
            var answer = await client.CallAsync("POST", "/v1/jobs", Job, headers: ("X-CSRF-Token", token));
            Assert.Equal((token, status), (token, (int)answer.Status));
        }

        static async Task<string> TokenAsync(TestUser of) =>
            (await of.Http.CallAsync("GET", "/v1/auth/me")).Body.GetProperty("csrf_token").GetString()!;
    }

    [Fact]
    public async Task With_an_Authorization_header_the_cookie_is_not_looked_at()
    {
        var project = await service.NewProjectAsync("viewer");
        var user = await TestUser.CreateAsync(service, project.Id);

        var asKey = await user.Http.CallAsync(
            "POST",
            "/v1/jobs",
            Job,
            headers: ("Authorization", $"Bearer {project.Key}")
        );
        var asNobody = await user.Http.CallAsync("GET", "/v1/jobs", headers: ("Authorization", "Bearer bh_wrong"));

        asKey.Expect(HttpStatusCode.Forbidden);
        asNobody.Expect(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [InlineData("UPDATE sessions SET last_seen_at = last_seen_at - interval '31 minutes' WHERE user_id = @Id")]
    [InlineData("UPDATE sessions SET expires_at = now() WHERE user_id = @Id")]
    [InlineData("DELETE FROM sessions WHERE user_id = @Id")]
    [InlineData("UPDATE users SET disabled_at = now() WHERE id = @Id")]
    public async Task A_session_that_is_over_is_over_at_once_on_every_replica(string sql)
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id);
        (await user.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);

        await new TestAccount(user.Id, user.Email, service.Database, service.Address).ExecuteAsync(sql);

        (await user.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_request_keeps_a_session_alive_and_writes_so_at_most_once_a_minute()
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id);
        var account = new TestAccount(user.Id, user.Email, service.Database, service.Address);
        await account.ExecuteAsync(
            "UPDATE sessions SET last_seen_at = last_seen_at - interval '29 minutes' WHERE user_id = @Id"
        );

        (await user.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);
        var first = await account.AskAsync<DateTime>("SELECT last_seen_at FROM sessions WHERE user_id = @Id");
        (await user.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);
        var second = await account.AskAsync<DateTime>("SELECT last_seen_at FROM sessions WHERE user_id = @Id");

        Assert.InRange(first, DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow.AddMinutes(1));
        Assert.Equal(first, second);
    }

    [Fact]
    public async Task A_role_that_changes_counts_from_the_next_request_on()
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id, "developer");
        (await user.Http.CallAsync("POST", "/v1/jobs", Job)).Expect(HttpStatusCode.Created);

        await new TestAccount(user.Id, user.Email, service.Database, service.Address).ExecuteAsync(
            "UPDATE memberships SET role = 'viewer' WHERE user_id = @Id"
        );

        (await user.Http.CallAsync("POST", "/v1/jobs", Job)).Expect(HttpStatusCode.Forbidden);
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("' OR 1=1 --")]
    public async Task What_is_no_session_proves_nobody(string cookie)
    {
        using var client = TestAccount.Client(service.Address);

        var answer = await client.CallAsync("GET", "/v1/jobs", headers: ("Cookie", $"__Host-bellhop={cookie}"));

        answer.Expect(HttpStatusCode.Unauthorized);
    }
}
