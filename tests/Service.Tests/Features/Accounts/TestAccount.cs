using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

/// <summary>A user with a password who is not signed in.</summary>
internal sealed record TestAccount(Guid Id, string Email, NpgsqlDataSource Database, Uri Address)
{
    public const string Password = "correct horse battery staple";

    private static readonly Lazy<string> Phc = new(() => PasswordHash.Of(Password).ToPhc());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<TestAccount> CreateAsync(ServiceFixture service, Guid? projectId = null)
    {
        var user = await TestUser.CreateAsync(service, projectId, Roles.Owner);
        return await WithPasswordAsync(user, service.Database, service.Address);
    }

    public static async Task<TestAccount> CreateAsync(OwnService own, Guid? projectId = null)
    {
        var user = await TestUser.CreateAsync(own.Database, own.Address, projectId, Roles.Owner);
        return await WithPasswordAsync(user, own.Database, own.Address);
    }

    /// <summary>Changes the account's row.</summary>
    public Task SetAsync(string assignments) => ExecuteAsync($"UPDATE users SET {assignments} WHERE id = @Id");

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = await Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            sql.With(
                new
                {
                    Id,
                    Email,
                    EmailSha256 = EmailAddress.Sha256Of(Email),
                },
                Token
            )
        );
    }

    public async Task<T> AskAsync<T>(string sql)
    {
        await using var connection = await Database.OpenConnectionAsync(Token);
        return (
            await connection.QueryAsync<T>(sql.With(new { Id, EmailSha256 = EmailAddress.Sha256Of(Email) }, Token))
        ).Single();
    }

    public Task<HttpResponseMessage> SignInAsync(
        string? password = null,
        string? totp = null,
        string? email = null,
        params (string Name, string Value)[] headers
    ) => SignInAsync(Address, email ?? Email, password ?? Password, totp, headers);

    public static async Task<HttpResponseMessage> SignInAsync(
        Uri address,
        string email,
        string password,
        string? totp = null,
        params (string Name, string Value)[] headers
    )
    {
        using var client = Client(address);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/auth/login");
        request.Content = global::System.Net.Http.Json.JsonContent.Create(
            totp is null
                ? (object)new { email, password }
                : new
                {
                    email,
                    password,
                    totp,
                }
        );
        foreach (var (name, value) in headers)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value), name);
        }

        return await client.SendAsync(request, Token);
    }

    /// <summary>The cookie of a new session.</summary>
    public async Task<string> CookieAsync(string? password = null, string? totp = null)
    {
        using var answer = await SignInAsync(password, totp);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        return CookieOf(answer);
    }

    public static string CookieOf(HttpResponseMessage answer) =>
        answer.Headers.GetValues("Set-Cookie").Single().Split(';')[0].Split('=', 2)[1];

    /// <summary>A client with that session's cookie, as a page of ours.</summary>
    public HttpClient SignedIn(string cookie, Uri? address = null)
    {
        var client = Client(address ?? Address);
        client.DefaultRequestHeaders.Add("Cookie", $"__Host-bellhop={cookie}");
        client.DefaultRequestHeaders.Add("Sec-Fetch-Site", "same-origin");
        client.DefaultRequestHeaders.Add("Origin", (address ?? Address).GetLeftPart(UriPartial.Authority));
        return client;
    }

    public static HttpClient Client(Uri address) =>
        new(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = address };

    private static async Task<TestAccount> WithPasswordAsync(TestUser user, NpgsqlDataSource database, Uri address)
    {
        var account = new TestAccount(user.Id, user.Email, database, address);
        await account.SetAsync($"password_hash = '{Phc.Value}'");
        await account.ExecuteAsync("DELETE FROM sessions WHERE user_id = @Id");
        return account;
    }
}
