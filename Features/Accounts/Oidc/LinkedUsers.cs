using Bellhop.Infrastructure.Database;
using Dapper;

namespace Bellhop.Features.Accounts.Oidc;

/// <summary>Who users are to identity providers.</summary>
internal sealed class LinkedUsers(OneTimeTokens tokens, Memberships memberships, TimeProvider clock)
{
    /// <summary>The user whom the issuer calls so; the first time, whoever has the address, as an account or an invitation.</summary>
    /// <param name="email">As the issuer has verified it; null: it has not.</param>
    /// <returns>Null: nobody.</returns>
    public async Task<Guid?> FindAsync(
        Work work,
        string issuer,
        string subject,
        string? email,
        CancellationToken cancellationToken
    ) =>
        await work.Connection.QuerySingleOrDefaultAsync<Guid?>(
            Sql.Find.With(new { Issuer = issuer, Subject = subject }, cancellationToken)
        )
        ?? (
            subject.Length > 0 && email is { Length: > 0 and <= EmailAddress.MaxLength }
                ? await LinkAsync(work, issuer, subject, email, cancellationToken)
                : null
        );

    private async Task<Guid?> LinkAsync(
        Work work,
        string issuer,
        string subject,
        string email,
        CancellationToken cancellationToken
    )
    {
        var invitations = await tokens.TakeInvitationsAsync(work.Connection, email, cancellationToken);
        var known = await work.Connection.QuerySingleOrDefaultAsync<Guid?>(
            Sql.FindByEmail.With(new { EmailKey = EmailAddress.KeyOf(email) }, cancellationToken)
        );
        var userId =
            known ?? (invitations.Count == 0 ? null : await memberships.MakeAsync(work, email, cancellationToken));
        if (userId is not { } id)
        {
            return null;
        }

        foreach (var invitation in invitations)
        {
            await memberships.JoinAsync(work, invitation, id, cancellationToken);
        }

        var arguments = new
        {
            Issuer = issuer,
            Subject = subject,
            UserId = id,
            Now = clock.GetUtcNow().UtcDateTime,
        };
        await work.Connection.ExecuteAsync(Sql.Link.With(arguments, cancellationToken));
        return id;
    }

    private static class Sql
    {
        public const string Find = "SELECT user_id FROM user_identities WHERE issuer = @Issuer AND subject = @Subject";

        public const string FindByEmail = "SELECT id FROM users WHERE email_key = @EmailKey";

        public const string Link = """
            INSERT INTO user_identities (issuer, subject, user_id, created_at) VALUES (@Issuer, @Subject, @UserId, @Now)
            ON CONFLICT (issuer, subject) DO NOTHING
            """;
    }
}
