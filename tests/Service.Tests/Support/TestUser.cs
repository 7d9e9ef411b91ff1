using System.Security.Cryptography;
using System.Text;
using Bellhop.Features.Accounts;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>A user of one test, a member of one project or of none, signed in by a session whose row was put there.</summary>
/// <remarks>Sessions are made by hand since a password costs 60 ms of hashing; the tests of signing in sign in.</remarks>
public sealed class TestUser
{
    private TestUser(Guid id, string email, Guid? memberId, string cookie, Uri address)
    {
        (Id, Email, MemberId, Cookie) = (id, email, memberId, cookie);
        Http = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = address };
        Http.DefaultRequestHeaders.Add("Cookie", $"__Host-bellhop={cookie}");
        // as a browser sends them with a request of a page of ours
        Http.DefaultRequestHeaders.Add("Sec-Fetch-Site", "same-origin");
        Http.DefaultRequestHeaders.Add("Origin", address.GetLeftPart(UriPartial.Authority));
    }

    public Guid Id { get; }

    public string Email { get; }

    /// <summary>Of the membership.</summary>
    public Guid? MemberId { get; }

    /// <summary>The value of the session's cookie.</summary>
    public string Cookie { get; }

    /// <summary>Signed in, as a page of the service's own origin.</summary>
    public HttpClient Http { get; }

    public static Task<TestUser> CreateAsync(
        ServiceFixture service,
        Guid? projectId,
        string role = Roles.Owner,
        Access? access = null
    ) => CreateAsync(service.Database, service.Address, projectId, role, access);

    public static async Task<TestUser> CreateAsync(
        NpgsqlDataSource database,
        Uri address,
        Guid? projectId,
        string role = Roles.Owner,
        Access? access = null
    )
    {
        var token = TestContext.Current.CancellationToken;
        var now = DateTime.UtcNow;
        var id = Guid.CreateVersion7();
        var member = Guid.CreateVersion7();
        var email = $"{role}-{id:N}@example.com";
        var cookie = Base62.Random(43);
        await using var connection = await database.OpenConnectionAsync(token);
        await connection.ExecuteAsync(
            """
            INSERT INTO users (id, email, email_key, created_at, updated_at) VALUES (@Id, @Email, @Email, @Now, @Now);
            INSERT INTO memberships (project_id, id, user_id, role, access, created_at, created_by, updated_at)
            SELECT @ProjectId, @Member, @Id, @Role, @Access::json, @Now, 'test', @Now WHERE @ProjectId::uuid IS NOT NULL;
            INSERT INTO sessions (user_id, id, secret_sha256, method, created_at, last_seen_at, expires_at)
            VALUES (@Id, @Session, @Sha256, 'password', @Now, @Now, @Now + interval '12 hours')
            """.With(
                new
                {
                    Id = id,
                    Email = email,
                    Now = now,
                    ProjectId = projectId,
                    Member = member,
                    Role = role,
                    Access = (access ?? Access.Unlimited).ToJson(),
                    Session = Guid.CreateVersion7(),
                    Sha256 = SHA256.HashData(Encoding.ASCII.GetBytes(cookie)),
                },
                token
            )
        );
        return new TestUser(id, email, projectId is null ? null : member, cookie, address);
    }

    /// <summary>A proven identity, for tests that send to handlers.</summary>
    public static async Task<Identity> IdentityAsync(ServiceFixture service, TestUser user, Guid projectId)
    {
        var known = await service
            .Services.GetRequiredService<KnownUsers>()
            .FindAsync(user.Id, TestContext.Current.CancellationToken);
        var membership = known!.Memberships.Single(one => one.ProjectId == projectId);
        return new Identity(projectId, known.Actor, Roles.Allow(membership.Role, membership.Access.Scopes))
        {
            UserId = user.Id,
            Role = membership.Role,
            Access = membership.Access,
            Method = ProofMethod.Session,
        };
    }
}
