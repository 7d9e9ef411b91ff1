using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>A user who was proven by what he knows.</summary>
/// <param name="HasSecondFactor">And by what he has.</param>
public sealed record ProvenUser(KnownUser User, bool HasSecondFactor);

/// <summary>The one place where passwords of users are checked.</summary>
/// <remarks>
/// <para>An unknown address, a wrong password, a user without one and a disabled user are told apart by nothing: the same
/// answer after the same statements and one hash. Known or not, an address is slowed down the same (<see cref="LoginThrottle"/>).</para>
/// <para>That the second factor is wanted is said only to who has the password. Each code is taken once.</para>
/// </remarks>
internal sealed class Credentials(
    NpgsqlDataSource database,
    PasswordHashes hashes,
    SecondFactor factor,
    AccountAudit audit,
    TimeProvider clock
)
{
    /// <summary>Who that is; else 401 <c>invalid_credentials</c> or <c>totp_required</c>, or 429.</summary>
    public Task<Result<ProvenUser>> CheckAsync(
        string email,
        string password,
        string? totp,
        CancellationToken cancellationToken
    ) => CheckAsync(email, password, totp, asksForFactor: true, cancellationToken);

    /// <summary>The same without the second factor: for who holds something else that proves him.</summary>
    public Task<Result<ProvenUser>> CheckPasswordAsync(
        string email,
        string password,
        CancellationToken cancellationToken
    ) => CheckAsync(email, password, null, asksForFactor: false, cancellationToken);

    private async Task<Result<ProvenUser>> CheckAsync(
        string email,
        string password,
        string? totp,
        bool asksForFactor,
        CancellationToken cancellationToken
    )
    {
        var entered = hashes.Enter();
        if (entered.Problem is { } full)
        {
            return full;
        }

        using var place = entered.Unwrap();
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var begun = await LoginThrottle.BeginAsync(connection, email, Now, cancellationToken);
        if (begun.Problem is { } wait)
        {
            return wait;
        }

        var row = await connection.QuerySingleOrDefaultAsync<Row>(
            Sql.Find.With(new { EmailKey = EmailAddress.KeyOf(email) }, cancellationToken)
        );
        // a connection is not held while others hash
        await connection.CloseAsync();
        var verdict = await place.VerifyAsync(row?.PasswordHash, password, cancellationToken);
        await connection.OpenAsync(cancellationToken);
        if (row is null || !verdict.IsRight || row.IsDisabled)
        {
            await audit.RecordFailureAsync(connection, row?.Id, email, cancellationToken);
            return AccountsProblems.WrongCredentials;
        }

        if (asksForFactor && row.TotpSecret is { } secret)
        {
            if (totp is null)
            {
                await LoginThrottle.TakeBackAsync(connection, begun.Unwrap(), cancellationToken);
                return AccountsProblems.TotpRequired.Because("Send the code of your authenticator as totp.");
            }

            if (!await factor.TakeAsync(connection, row.Id, secret, totp, cancellationToken))
            {
                await audit.RecordFailureAsync(connection, row.Id, email, cancellationToken);
                return AccountsProblems.WrongCredentials;
            }
        }

        await LoginThrottle.ClearAsync(connection, email, cancellationToken);
        if (verdict.IsOutdated)
        {
            await RehashAsync(connection, place, row, password, cancellationToken);
        }

        // whoever was disabled, or has another password, since he was looked for has another epoch
        return
            await KnownUsers.ReadAsync(connection, row.Id, cancellationToken) is { IsDisabled: false } user
            && user.TokenEpoch == row.TokenEpoch
            ? new ProvenUser(user, asksForFactor && row.TotpSecret is not null)
            : AccountsProblems.WrongCredentials;
    }

    private DateTime Now => clock.GetUtcNow().UtcDateTime;

    private static async Task RehashAsync(
        NpgsqlConnection connection,
        PasswordHashes.Place place,
        Row row,
        string password,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            row.Id,
            Before = row.PasswordHash,
            After = await place.HashAsync(password, cancellationToken),
        };
        await connection.ExecuteAsync(Sql.Rehash.With(arguments, cancellationToken));
    }

    private sealed record Row(Guid Id, string? PasswordHash, bool IsDisabled, string? TotpSecret, int TokenEpoch);

    private static class Sql
    {
        public const string Find = """
            SELECT id, password_hash, disabled_at IS NOT NULL AS is_disabled,
                CASE WHEN totp_enabled_at IS NOT NULL THEN totp_secret END AS totp_secret, token_epoch
            FROM users
            WHERE email_key = @EmailKey
            """;

        public const string Rehash =
            "UPDATE users SET password_hash = @After WHERE id = @Id AND password_hash = @Before";
    }
}
