using System.Net;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Puts on record what happens to an account: once in each project that the user is a member of, with one statement.</summary>
/// <remarks>
/// Of a user without projects it is recorded under the project of all zeros. Not by <see cref="AuditTrail"/>: which projects those
/// are is found by the statement itself, so that as much is done where nobody has the address.
/// </remarks>
public sealed class AccountAudit(Caller caller, TimeProvider clock)
{
    /// <summary>The user did it himself.</summary>
    /// <param name="method">How he was proven, where he is not who calls.</param>
    /// <param name="projectId">The only one of his projects that it concerns; null: it concerns them all.</param>
    public Task RecordAsync(
        NpgsqlConnection connection,
        Guid userId,
        string email,
        string action,
        CancellationToken cancellationToken,
        object? after = null,
        string method = ProofMethod.Password,
        Guid? projectId = null
    )
    {
        var isOwn = caller.IsKnown && caller.UserId == userId;
        return RecordAsync(
            connection,
            userId,
            email,
            action,
            $"user:{email}",
            userId,
            isOwn ? caller.Method : method,
            after,
            cancellationToken,
            projectId
        );
    }

    /// <summary>Whoever calls did it to the user: an operator on the command line.</summary>
    public Task RecordByCallerAsync(
        NpgsqlConnection connection,
        Guid userId,
        string email,
        string action,
        CancellationToken cancellationToken,
        object? after = null
    ) =>
        RecordAsync(
            connection,
            userId,
            email,
            action,
            caller.Actor,
            caller.Id,
            caller.Method,
            after,
            cancellationToken
        );

    /// <summary>Somebody tried, and proved nothing.</summary>
    /// <param name="userId">Null where nobody has the address: then the statement runs and records nothing.</param>
    internal Task RecordFailureAsync(
        NpgsqlConnection connection,
        Guid? userId,
        string email,
        CancellationToken cancellationToken,
        string action = "users.sign_in_failed",
        object? after = null
    ) => RecordAsync(connection, userId, email, action, "anonymous", null, ProofMethod.None, after, cancellationToken);

    private async Task RecordAsync(
        NpgsqlConnection connection,
        Guid? userId,
        string email,
        string action,
        string actor,
        Guid? actorId,
        string method,
        object? after,
        CancellationToken cancellationToken,
        Guid? projectId = null
    ) =>
        await connection.ExecuteAsync(
            Sql.Insert.With(
                new
                {
                    UserId = userId,
                    At = clock.GetUtcNow().UtcDateTime,
                    Actor = actor,
                    ActorId = actorId,
                    Method = method,
                    Address = Plain(caller.Address),
                    caller.RequestId,
                    Action = action,
                    Target = $"users/{email}",
                    After = after is null ? null : JsonSerializer.Serialize(after, after.GetType(), JsonRules.Options),
                    EmailSha256 = EmailAddress.Sha256Of(email),
                    ProjectId = projectId,
                },
                cancellationToken
            )
        );

    private static string? Plain(IPAddress? address) =>
        (address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address)?.ToString();

    private static class Sql
    {
        // the row of failures is written anew, so that an attempt on nobody's address commits as one on somebody's does
        public const string Insert = """
            WITH touched AS (
                UPDATE login_throttles SET failed_at = @At WHERE email_sha256 = @EmailSha256
            ),
            member_of AS (
                SELECT project_id
                FROM memberships
                WHERE user_id = @UserId::uuid
                    AND disabled_at IS NULL
                    AND (@ProjectId::uuid IS NULL OR project_id = @ProjectId)
            ),
            told AS (
                SELECT project_id FROM member_of
                UNION ALL
                SELECT '00000000-0000-0000-0000-000000000000'::uuid
                WHERE @UserId::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM member_of)
            )
            INSERT INTO audit_entries (
                project_id, id, at, actor, actor_id, method, address, request_id, action, target, target_id, before, after
            )
            SELECT project_id, new_id(), @At, @Actor, @ActorId::uuid, @Method, @Address::inet, @RequestId, @Action, @Target,
                @UserId::uuid, NULL, @After::json
            FROM told
            """;
    }
}
