using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class IssueTokenTests(ServiceFixture service)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_gives_a_token_of_ten_minutes_that_may_do_what_the_key_may()
    {
        var project = await service.NewProjectAsync("viewer");

        var (status, body) = await AskAsync(new { grant_type = "api_key", api_key = project.Key });

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            ["access_token", "token_type", "expires_in"],
            body.EnumerateObject().Select(member => member.Name)
        );
        Assert.Equal(
            ("Bearer", 600),
            (body.GetProperty("token_type").GetString(), body.GetProperty("expires_in").GetInt32())
        );
        var token = body.GetProperty("access_token").GetString()!;
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, token));
        using var client = service.NewClient(token);
        using var refused = await client.PutAsync("/v1/secrets/a", JsonContent.Create(new { value = "b" }), Token);
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
    }

    [Fact]
    public async Task A_token_of_a_key_ends_with_the_key_within_five_seconds()
    {
        var project = await service.NewProjectAsync();
        var (_, body) = await AskAsync(new { grant_type = "api_key", api_key = project.Key });
        var token = body.GetProperty("access_token").GetString()!;
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, token));

        await ExecuteAsync("UPDATE api_keys SET revoked_at = now() WHERE project_id = @Id", project.Id);

        await EndsAsync(service.Address, token);
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            (await AskAsync(new { grant_type = "api_key", api_key = project.Key })).Status
        );
    }

    [Fact]
    public async Task Another_grant_is_told_which_there_are()
    {
        var (status, body) = await AskAsync(new { grant_type = "client_credentials" });

        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        var error = Assert.Single(body.GetProperty("errors").EnumerateArray());
        Assert.Equal("/grant_type", error.GetProperty("pointer").GetString());
        Assert.Equal(
            "grant_type must be one of password, refresh_token, api_key.",
            error.GetProperty("message").GetString()
        );
    }

    [Theory]
    [InlineData("""{"grant_type":"refresh_token"}""", "/refresh_token")]
    [InlineData("""{"grant_type":"api_key","api_key":""}""", "/api_key")]
    [InlineData("""{"grant_type":"password","email":"ada@example.com"}""", "/password")]
    public async Task What_is_missing_is_named(string grant, string pointer)
    {
        var (status, body) = await AskAsync(JsonElement.Parse(grant));

        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Equal(pointer, body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Theory]
    [InlineData("""{"grant_type":"refresh_token","refresh_token":"nonsense"}""")]
    [InlineData(
        """{"grant_type":"refresh_token","refresh_token":"bhrt_0000000000000000000000000000000000000000000000000"}"""
    )]
    [InlineData("""{"grant_type":"api_key","api_key":"bh_nonsense"}""")]
    public async Task Whatever_is_wrong_with_a_grant_the_answer_is_the_same(string grant)
    {
        var (status, body) = await AskAsync(JsonElement.Parse(grant));

        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Equal("invalid_grant", body.GetProperty("code").GetString());
        Assert.Equal(
            "What was sent is mistyped, expired, spent or revoked: sign in again.",
            body.GetProperty("detail").GetString()
        );
    }

    [Fact]
    public async Task A_refresh_token_is_spent_for_the_next_one_and_for_a_token_of_the_user()
    {
        var (_, tokens) = await SignedInAsync();

        var next = await tokens.RefreshAsync(service.Address);
        var third = await next.RefreshAsync(service.Address);

        Assert.Equal(3, new[] { tokens.Refresh, next.Refresh, third.Refresh }.Distinct().Count());
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, third.Access));
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, tokens.Access));
    }

    [Fact]
    public async Task Of_twenty_who_spend_it_at_once_all_get_the_same_successor()
    {
        var (user, tokens) = await SignedInAsync();

        var all = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => tokens.RefreshAsync(service.Address)));

        var next = Assert.Single(all.Select(one => one.Refresh).Distinct());
        Assert.Equal(2, await CountAsync("SELECT count(*) FROM refresh_tokens WHERE user_id = @Id", user.Id));
        Assert.Equal(
            1,
            await CountAsync("SELECT count(*) FROM token_families WHERE user_id = @Id AND ended_at IS NULL", user.Id)
        );
        await new TestTokens("", next).RefreshAsync(service.Address);
    }

    [Fact]
    public async Task One_that_comes_again_after_the_grace_ends_the_family_and_is_on_record()
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id);
        var tokens = await TestTokens.BeginAsync(service.Services, user.Id);
        var next = await tokens.RefreshAsync(service.Address);
        await ExecuteAsync(
            "UPDATE refresh_tokens SET spent_at = spent_at - interval '11 seconds' WHERE user_id = @Id",
            user.Id
        );

        await RefusedAsync(tokens);
        await RefusedAsync(next);
        await RefusedAsync(tokens);

        await EndsAsync(service.Address, next.Access);
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        var recorded = await connection.QueryAsync<string>(
            "SELECT target FROM audit_entries WHERE project_id = @Id AND action = 'tokens.reuse'".With(
                new { project.Id },
                Token
            )
        );
        Assert.Equal([$"users/{user.Email}"], recorded);
        Assert.Equal(
            "reused",
            await connection.QuerySingleAsync<string>(
                "SELECT ended_because FROM token_families WHERE user_id = @Id".With(new { user.Id }, Token)
            )
        );
    }

    [Fact]
    public async Task A_password_gives_tokens_that_open_go_on_and_are_on_record()
    {
        var account = await TestAccount.CreateAsync(service, (await service.NewProjectAsync()).Id);

        var (status, body) = await AskAsync(Password(account.Email, TestAccount.Password));

        Assert.Equal((HttpStatusCode.OK, 600), (status, body.GetProperty("expires_in").GetInt32()));
        var tokens = new TestTokens(
            body.GetProperty("access_token").GetString()!,
            body.GetProperty("refresh_token").GetString()!
        );
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, tokens.Access));
        var next = await tokens.RefreshAsync(service.Address);
        using var program = service.NewClient(next.Access);
        var me = (await program.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK).Body;
        Assert.Equal(account.Email, me.GetProperty("email").GetString());
        var audit = await program.CallAsync("GET", $"/v1/audit?actor=user:{account.Email}&action=users.sign_in");
        Assert.Equal(1, audit.Expect(HttpStatusCode.OK).Body.GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task A_second_factor_is_asked_for_here_as_well()
    {
        var account = await TestAccount.CreateAsync(service, (await service.NewProjectAsync()).Id);
        using var browser = account.SignedIn(await account.CookieAsync());
        var code = (await TestTotp.EnableAsync(browser)).Code();

        var (missing, refusal) = await AskAsync(Password(account.Email, TestAccount.Password));
        var (wrong, _) = await AskAsync(Password(account.Email, TestAccount.Password, "000000"));
        var (right, body) = await AskAsync(Password(account.Email, TestAccount.Password, code));
        var (again, _) = await AskAsync(Password(account.Email, TestAccount.Password, code));

        Assert.Equal(
            (HttpStatusCode.Unauthorized, "totp_required"),
            (missing, refusal.GetProperty("code").GetString())
        );
        Assert.Equal(HttpStatusCode.Unauthorized, wrong);
        Assert.Equal(HttpStatusCode.OK, right);
        Assert.Equal(HttpStatusCode.Unauthorized, again); // a code counts once
        var access = body.GetProperty("access_token").GetString()!;
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, access));
    }

    [Fact]
    public async Task A_wrong_password_and_an_address_that_nobody_has_are_answered_the_same()
    {
        var account = await TestAccount.CreateAsync(service);

        var (wrong, theirs) = await AskAsync(Password(account.Email, "not the password of anybody"));
        var (unknown, nobodys) = await AskAsync(Password($"n{Guid.NewGuid():N}@x.example", TestAccount.Password));

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (wrong, unknown));
        foreach (var member in new[] { "type", "title", "status", "detail", "instance", "code" })
        {
            Assert.Equal($"{theirs.GetProperty(member)}", $"{nobodys.GetProperty(member)}");
        }
    }

    [Theory]
    [InlineData("UPDATE users SET disabled_at = now() WHERE id = @Id")]
    [InlineData("UPDATE users SET token_epoch = token_epoch + 1 WHERE id = @Id")]
    [InlineData("UPDATE token_families SET ended_at = now(), ended_because = 'revoked' WHERE user_id = @Id")]
    [InlineData("UPDATE token_families SET expires_at = now() WHERE user_id = @Id")]
    [InlineData("UPDATE refresh_tokens SET created_at = created_at - interval '7 days' WHERE user_id = @Id")]
    public async Task A_login_that_is_over_goes_on_no_more(string end)
    {
        var (user, tokens) = await SignedInAsync();

        await ExecuteAsync(end, user.Id);

        await RefusedAsync(tokens);
    }

    [Theory]
    [InlineData("UPDATE users SET disabled_at = now() WHERE id = @Id")]
    [InlineData("UPDATE users SET token_epoch = token_epoch + 1 WHERE id = @Id")]
    [InlineData("UPDATE token_families SET ended_at = now(), ended_because = 'revoked' WHERE user_id = @Id")]
    public async Task A_token_that_holds_still_is_rejected_within_five_seconds_by_every_replica(string end)
    {
        await using var own = await OwnService.StartAsync(service);
        await using var other = await OwnService.StartAsync(service, beside: own);
        var user = await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId);
        var tokens = await TestTokens.BeginAsync(own.Services, user.Id);
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(other.Address, tokens.Access));

        await ExecuteAsync(own.Database, end, user.Id);

        await EndsAsync(other.Address, tokens.Access);
    }

    [Fact]
    public async Task Another_role_acts_within_five_seconds_on_a_token_that_was_there_before()
    {
        await using var own = await OwnService.StartAsync(service);
        await using var other = await OwnService.StartAsync(service, beside: own);
        var user = await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId);
        var tokens = await TestTokens.BeginAsync(own.Services, user.Id);
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(other.Address, tokens.Access));

        await ExecuteAsync(own.Database, "UPDATE memberships SET role = 'worker' WHERE user_id = @Id", user.Id);

        await Eventually.FitAsync(
            () => TestTokens.TryAsync(other.Address, tokens.Access),
            status => status == HttpStatusCode.Forbidden,
            Limit
        );
    }

    [Fact]
    public async Task A_token_names_no_project_and_acts_in_the_one_of_the_header()
    {
        var first = await service.NewProjectAsync();
        var second = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, first.Id);
        await ExecuteAsync(
            $"""
            INSERT INTO memberships (project_id, id, user_id, role, created_at, created_by, updated_at)
            VALUES ('{second.Id}', '{Guid.CreateVersion7()}', @Id, 'viewer', now(), 'test', now())
            """,
            user.Id
        );
        var tokens = await TestTokens.BeginAsync(service.Services, user.Id);
        using var client = service.NewClient(tokens.Access);

        using var none = await client.GetAsync("/v1/jobs", Token);
        client.DefaultRequestHeaders.Add(ProjectHeader.Name, second.Name);
        using var named = await client.GetAsync("/v1/jobs", Token);

        Assert.Equal((HttpStatusCode.BadRequest, HttpStatusCode.OK), (none.StatusCode, named.StatusCode));
    }

    private async Task<(TestUser User, TestTokens Tokens)> SignedInAsync()
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id);
        return (user, await TestTokens.BeginAsync(service.Services, user.Id));
    }

    private Task<(HttpStatusCode Status, JsonElement Body)> AskAsync(object grant) =>
        TestTokens.AskAsync(service.Address, grant);

    private async Task RefusedAsync(TestTokens tokens)
    {
        var (status, body) = await AskAsync(new { grant_type = "refresh_token", refresh_token = tokens.Refresh });
        Assert.Equal((HttpStatusCode.Unauthorized, "invalid_grant"), (status, body.GetProperty("code").GetString()));
    }

    private static Task<HttpStatusCode> EndsAsync(Uri address, string token) =>
        Eventually.FitAsync(
            () => TestTokens.TryAsync(address, token),
            status => status == HttpStatusCode.Unauthorized,
            Limit
        );

    private Task ExecuteAsync(string sql, Guid id) => ExecuteAsync(service.Database, sql, id);

    private static async Task ExecuteAsync(NpgsqlDataSource database, string sql, Guid id)
    {
        await using var connection = await database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(sql.With(new { Id = id }, Token));
    }

    private async Task<long> CountAsync(string sql, Guid id)
    {
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        return await connection.QuerySingleAsync<long>(sql.With(new { Id = id }, Token));
    }

    private static object Password(string email, string password, string? totp = null) =>
        totp is null
            ? new
            {
                grant_type = "password",
                email,
                password,
            }
            : new
            {
                grant_type = "password",
                email,
                password,
                totp,
            };
}
