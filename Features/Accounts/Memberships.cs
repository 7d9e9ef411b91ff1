using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Dapper;

namespace Bellhop.Features.Accounts;

/// <summary>Makes of a one-time token what it is for: an account, a password, a membership. In the caller's transaction.</summary>
internal sealed class Memberships(Sessions sessions, KnownUsers users, AccountAudit audit, TimeProvider clock)
{
    /// <summary>Makes the account, or sets the password of the one that is there and ends all that is signed in with the old one.</summary>
    /// <returns>Whether it could: not where the account was made, or disabled, meanwhile.</returns>
    public async Task<bool> SetPasswordAsync(
        Work work,
        OneTimeGrant grant,
        Guid? userId,
        string passwordHash,
        CancellationToken cancellationToken
    )
    {
        var now = clock.GetUtcNow();
        var id = userId ?? Guid.CreateVersion7(now);
        var arguments = new
        {
            Id = id,
            grant.Email,
            EmailKey = EmailAddress.KeyOf(grant.Email),
            PasswordHash = passwordHash,
            Now = now.UtcDateTime,
            ChangedAt = (DateTime?)now.UtcDateTime,
        };
        await OneTimeTokens.CloseResetsAsync(work.Connection, grant.Email, cancellationToken);
        var sql = userId is null ? Sql.Make : Sql.SetPassword;
        if (await work.Connection.ExecuteAsync(sql.With(arguments, cancellationToken)) == 0)
        {
            return false;
        }

        if (userId is not null)
        {
            await sessions.EndAllAsync(work.Connection, id, null, cancellationToken);
            await LoginThrottle.ClearAsync(work.Connection, grant.Email, cancellationToken);
            if (grant.ProjectId is not null)
            {
                // his other projects are told of the new password; of the membership they are not
                await audit.RecordAsync(
                    work.Connection,
                    id,
                    grant.Email,
                    "users.password_change",
                    cancellationToken,
                    method: ProofMethod.OneTimeToken
                );
            }
        }

        await JoinAsync(work, grant, id, cancellationToken);
        return true;
    }

    /// <summary>Makes an account without a password, for who signs in another way; null: there is one of that address.</summary>
    public async Task<Guid?> MakeAsync(Work work, string email, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var id = Guid.CreateVersion7(now);
        var arguments = new
        {
            Id = id,
            Email = email,
            EmailKey = EmailAddress.KeyOf(email),
            PasswordHash = (string?)null,
            Now = now.UtcDateTime,
            ChangedAt = (DateTime?)null,
        };
        return await work.Connection.ExecuteAsync(Sql.Make.With(arguments, cancellationToken)) == 1 ? id : null;
    }

    /// <summary>Makes the user a member of the grant's project, if it has one; who is a member already stays what he is.</summary>
    /// <remarks>But for a grant of the command line to make him owner.</remarks>
    public async Task JoinAsync(Work work, OneTimeGrant grant, Guid userId, CancellationToken cancellationToken)
    {
        if (grant.ProjectId is { } projectId)
        {
            var now = clock.GetUtcNow();
            var arguments = new
            {
                ProjectId = projectId,
                Id = Guid.CreateVersion7(now),
                UserId = userId,
                grant.Role,
                Access = grant.Access ?? Access.Unlimited.ToJson(),
                Now = now.UtcDateTime,
                CreatedBy = $"user:{grant.Email}",
                grant.Purpose,
            };
            await work.Connection.ExecuteAsync(Sql.Join.With(arguments, cancellationToken));
        }

        await audit.RecordAsync(
            work.Connection,
            userId,
            grant.Email,
            "users.redeem",
            cancellationToken,
            new { grant.Purpose, grant.Role },
            ProofMethod.OneTimeToken,
            grant.ProjectId
        );
        work.AfterCommit(() => users.Forget(userId));
    }

    private static class Sql
    {
        public const string Make = """
            INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at, password_changed_at)
            VALUES (@Id, @Email, @EmailKey, @PasswordHash, @Now, @Now, @ChangedAt)
            ON CONFLICT (email_key) DO NOTHING
            """;

        public const string SetPassword = """
            UPDATE users
            SET password_hash = @PasswordHash, password_changed_at = @Now, updated_at = @Now
            WHERE id = @Id AND disabled_at IS NULL
            """;

        public const string Join = """
            INSERT INTO memberships AS m (project_id, id, user_id, role, access, created_at, created_by, updated_at)
            SELECT p.id, @Id, @UserId, @Role, @Access::json, @Now, @CreatedBy, @Now FROM projects AS p WHERE p.id = @ProjectId
            ON CONFLICT (project_id, user_id) DO UPDATE
            SET role = EXCLUDED.role, access = EXCLUDED.access, disabled_at = NULL, revision = m.revision + 1,
                updated_at = EXCLUDED.updated_at
            WHERE m.disabled_at IS NOT NULL OR @Purpose = 'owner'
            """;
    }
}
