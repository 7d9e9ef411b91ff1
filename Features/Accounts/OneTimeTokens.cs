using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>What somebody is to do once, with a token that proves that it was meant for him.</summary>
/// <param name="ProjectId">Where it makes him a member; null: nowhere.</param>
internal sealed record OneTimeGrant(
    Guid Id,
    string Purpose,
    string Email,
    Guid? ProjectId,
    string? Role,
    string? Access
)
{
    public const string Owner = "owner";
    public const string Invitation = "invitation";
    public const string Reset = "reset";

    /// <summary>Whether it sets the password of an account that is there.</summary>
    public bool SetsPassword => Purpose is Owner or Reset;
}

/// <summary>Opens one-time tokens and takes them, in the caller's transaction.</summary>
/// <remarks>
/// One of a purpose is open for an address and project: another one replaces it. The secret is made when it is sent or printed,
/// and again when that is repeated: the last one counts. It is taken once, by one guarded statement.
/// </remarks>
internal sealed class OneTimeTokens(Caller caller, TimeProvider clock)
{
    public static readonly TimeSpan ResetLife = TimeSpan.FromHours(1);
    public static readonly TimeSpan InvitationLife = TimeSpan.FromHours(72);

    /// <summary>Who asks again within this time gets no other mail, and the token that is under way stays good so long.</summary>
    private static readonly TimeSpan ResetPace = TimeSpan.FromMinutes(5);

    /// <summary>Opens one, in place of the one that was open.</summary>
    /// <param name="isPaced">Anybody may ask: leaves the open one as it is where that is young, or was printed by an operator.</param>
    /// <returns>Its id and when it expires; null: it is paced.</returns>
    public async Task<(Guid Id, DateTime ExpiresAt)?> OpenAsync(
        NpgsqlConnection connection,
        string purpose,
        string email,
        Guid? projectId,
        string? role,
        Access? access,
        CancellationToken cancellationToken,
        bool isPaced = false
    )
    {
        var now = clock.GetUtcNow();
        var id = Guid.CreateVersion7(now);
        var expiresAt = now.UtcDateTime + (purpose == OneTimeGrant.Invitation ? InvitationLife : ResetLife);
        var arguments = new
        {
            Id = id,
            Purpose = purpose,
            Email = email,
            EmailKey = EmailAddress.KeyOf(email),
            ProjectId = projectId,
            Role = role,
            Access = access?.ToJson(),
            Now = now.UtcDateTime,
            CreatedBy = caller.IsKnown ? caller.Actor : "anonymous",
            ExpiresAt = expiresAt,
            IsPaced = isPaced,
            ReplaceBefore = isPaced ? now.UtcDateTime - ResetPace : now.UtcDateTime.AddDays(1),
        };
        return await connection.ExecuteAsync(Sql.Open.With(arguments, cancellationToken)) == 1 ? (id, expiresAt) : null;
    }

    /// <summary>Locks the open invitation into the caller's project of that id, or to that address.</summary>
    /// <returns>Null: there is none. 403 where it gives more than the caller may touch.</returns>
    public async Task<Result<OneTimeGrant?>> LockInvitationAsync(
        NpgsqlConnection connection,
        Guid? id,
        string? email,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            caller.ProjectId,
            Id = id,
            EmailKey = email is null ? null : EmailAddress.KeyOf(email),
            Now = clock.GetUtcNow().UtcDateTime,
        };
        var open = await connection.QuerySingleOrDefaultAsync<OneTimeGrant>(
            Sql.LockInvitation.With(arguments, cancellationToken)
        );
        if (
            open is not null
            && Granting.CheckTouch(caller, "invitation", open.Role!, Access.Read(open.Access!)) is { } more
        )
        {
            return more;
        }

        return open;
    }

    /// <summary>Whatever was opened for the address in the project is worth nothing from then on.</summary>
    /// <remarks>To be called before the membership is touched: who redeems locks in this order too.</remarks>
    /// <returns>What it was.</returns>
    public static Task<IEnumerable<Guid>> CloseAsync(
        NpgsqlConnection connection,
        Guid projectId,
        string email,
        CancellationToken cancellationToken
    )
    {
        var arguments = new { ProjectId = projectId, EmailKey = EmailAddress.KeyOf(email) };
        return connection.QueryAsync<Guid>(Sql.Close.With(arguments, cancellationToken));
    }

    /// <summary>The same for a new password that was asked for, which no longer is to replace the one that is set.</summary>
    /// <remarks>To be called before the user is touched.</remarks>
    public static Task CloseResetsAsync(
        NpgsqlConnection connection,
        string email,
        CancellationToken cancellationToken
    ) => connection.ExecuteAsync(Sql.CloseResets.With(new { EmailKey = EmailAddress.KeyOf(email) }, cancellationToken));

    /// <summary>Makes the secret of an open one, to be printed or sent now; null: it is open no more.</summary>
    public async Task<string?> MintAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        var token = OneTimeToken.Create();
        var arguments = new
        {
            Id = id,
            Sha256 = OneTimeToken.Sha256Of(token),
            Now = clock.GetUtcNow().UtcDateTime,
        };
        return await connection.ExecuteAsync(Sql.Mint.With(arguments, cancellationToken)) == 1 ? token : null;
    }

    /// <summary>What the token is for; null: it is mistyped, used, replaced or too old.</summary>
    public async Task<OneTimeGrant?> FindAsync(
        NpgsqlConnection connection,
        string token,
        CancellationToken cancellationToken
    ) =>
        OneTimeToken.Sha256Of(token) is { } sha256
            ? await connection.QuerySingleOrDefaultAsync<OneTimeGrant>(
                Sql.Find.With(new { Sha256 = sha256, Now = clock.GetUtcNow().UtcDateTime }, cancellationToken)
            )
            : null;

    /// <summary>Takes the token; false: somebody else did, or it was replaced.</summary>
    public async Task<bool> TakeAsync(
        NpgsqlConnection connection,
        OneTimeGrant grant,
        string token,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            grant.Id,
            Sha256 = OneTimeToken.Sha256Of(token),
            Now = clock.GetUtcNow().UtcDateTime,
        };
        return await connection.ExecuteAsync(Sql.Take.With(arguments, cancellationToken)) == 1;
    }

    /// <summary>Takes every open invitation to an address whose owner was proven another way.</summary>
    public async Task<IReadOnlyList<OneTimeGrant>> TakeInvitationsAsync(
        NpgsqlConnection connection,
        string email,
        CancellationToken cancellationToken
    )
    {
        var arguments = new { EmailKey = EmailAddress.KeyOf(email), Now = clock.GetUtcNow().UtcDateTime };
        var taken = await connection.QueryAsync<OneTimeGrant>(Sql.TakeInvitations.With(arguments, cancellationToken));
        return taken.AsList();
    }

    private static class Sql
    {
        // engine-wide: whoever has the address is invited to each of these projects
        public const string TakeInvitations = """
            UPDATE one_time_tokens
            SET used_at = @Now
            WHERE purpose = 'invitation'
                AND email_key = @EmailKey
                AND used_at IS NULL
                AND expires_at > @Now
                AND NOT EXISTS (
                    SELECT FROM projects AS p WHERE p.id = one_time_tokens.project_id AND p.archived_at IS NOT NULL
                )
            RETURNING id, purpose, email, project_id, role, access::text AS access
            """;

        public const string Open = """
            INSERT INTO one_time_tokens AS t (
                id, purpose, email, email_key, project_id, role, access, created_at, created_by, expires_at
            )
            VALUES (
                @Id, @Purpose, @Email, @EmailKey, @ProjectId::uuid, @Role, @Access::json, @Now, @CreatedBy, @ExpiresAt
            )
            ON CONFLICT (purpose, email_key, project_id) WHERE used_at IS NULL DO UPDATE
            SET id = EXCLUDED.id, email = EXCLUDED.email, role = EXCLUDED.role, access = EXCLUDED.access,
                secret_sha256 = NULL, created_at = EXCLUDED.created_at, created_by = EXCLUDED.created_by,
                expires_at = EXCLUDED.expires_at
            WHERE t.created_at < @ReplaceBefore
                AND (NOT @IsPaced OR t.created_by = EXCLUDED.created_by OR t.expires_at <= @Now)
            """;

        public const string LockInvitation = """
            SELECT id, purpose, email, project_id, role, access::text AS access
            FROM one_time_tokens
            WHERE project_id = @ProjectId
                AND (id = @Id::uuid OR email_key = @EmailKey::text)
                AND purpose = 'invitation'
                AND used_at IS NULL
                AND expires_at > @Now
            FOR UPDATE
            """;

        public const string Close = """
            DELETE FROM one_time_tokens
            WHERE project_id = @ProjectId AND email_key = @EmailKey AND used_at IS NULL
            RETURNING id
            """;

        // in no project
        public const string CloseResets = """
            DELETE FROM one_time_tokens
            WHERE purpose = 'reset' AND email_key = @EmailKey AND project_id IS NULL AND used_at IS NULL
            """;

        public const string Mint = """
            UPDATE one_time_tokens
            SET secret_sha256 = @Sha256
            WHERE id = @Id AND used_at IS NULL AND expires_at > @Now
            """;

        // nobody comes into a project that is archived, but for whom the command line makes its owner
        public const string Find = """
            SELECT id, purpose, email, project_id, role, access::text AS access
            FROM one_time_tokens
            WHERE secret_sha256 = @Sha256
                AND used_at IS NULL
                AND expires_at > @Now
                AND NOT (
                    purpose = 'invitation'
                    AND EXISTS (
                        SELECT FROM projects AS p WHERE p.id = one_time_tokens.project_id AND p.archived_at IS NOT NULL
                    )
                )
            """;

        public const string Take = """
            UPDATE one_time_tokens
            SET used_at = @Now
            WHERE id = @Id AND secret_sha256 = @Sha256 AND used_at IS NULL AND expires_at > @Now
            """;
    }
}
