using System.Globalization;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Slows down who guesses the password of one account, from however many addresses: five tries, then waits that double.</summary>
/// <remarks>
/// An attempt counts as failed before it is judged, so that a thousand at once are no more than a thousand in a row; success
/// takes it back. The wait is 1 s, then twice as long after each failure, 15 minutes at most: nobody is locked out for good.
/// Addresses that nobody has are slowed down the same.
/// </remarks>
internal static class LoginThrottle
{
    public const int FreeFailures = 5;
    public const int MaxWaitSeconds = 900;

    /// <summary>Counts an attempt; the problem where it is not to be made now.</summary>
    public static async Task<Result<Attempt>> BeginAsync(
        NpgsqlConnection connection,
        string email,
        DateTime now,
        CancellationToken cancellationToken
    )
    {
        var sha256 = EmailAddress.Sha256Of(email);
        var arguments = new
        {
            EmailSha256 = sha256,
            Now = now,
            FreeFailures,
            MaxWaitSeconds,
        };
        var row = await connection.QuerySingleAsync<Row>(Sql.Begin.With(arguments, cancellationToken));
        if (row.IsCounted)
        {
            return new Attempt(sha256, row.BlockedUntil);
        }

        var seconds = Math.Max(1, (int)Math.Ceiling(((row.BlockedUntil ?? now) - now).TotalSeconds));
        return Problems.RateLimited.Because(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Too many failures for this address; repeat it in {seconds} s."
            )
        ) with
        {
            RetryAfterSeconds = seconds,
        };
    }

    /// <summary>It was right: what failed before is forgotten.</summary>
    public static Task ClearAsync(NpgsqlConnection connection, string email, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(Sql.Clear.With(new { EmailSha256 = EmailAddress.Sha256Of(email) }, cancellationToken));

    /// <summary>It was no guess: it is as if it had not been made, and others stay counted.</summary>
    public static Task TakeBackAsync(
        NpgsqlConnection connection,
        Attempt attempt,
        CancellationToken cancellationToken
    ) => connection.ExecuteAsync(Sql.TakeBack.With(attempt, cancellationToken));

    /// <param name="BlockedUntil">The wait that this attempt brought, if it failed.</param>
    internal sealed record Attempt(byte[] EmailSha256, DateTime? BlockedUntil);

    private sealed record Row(bool IsCounted, DateTime? BlockedUntil);

    private static class Sql
    {
        public const string Begin = """
            WITH counted AS (
                INSERT INTO login_throttles AS t (email_sha256, failures, failed_at)
                VALUES (@EmailSha256, 1, @Now)
                ON CONFLICT (email_sha256) DO UPDATE
                SET failures = t.failures + 1,
                    failed_at = @Now,
                    blocked_until = CASE
                        WHEN t.failures + 1 >= @FreeFailures
                        THEN @Now + make_interval(secs => least(@MaxWaitSeconds, power(2, least(t.failures + 1 - @FreeFailures, 20))))
                    END
                WHERE t.blocked_until IS NULL OR t.blocked_until <= @Now
                RETURNING blocked_until
            )
            SELECT true AS is_counted, blocked_until FROM counted
            UNION ALL
            SELECT false, (SELECT blocked_until FROM login_throttles WHERE email_sha256 = @EmailSha256)
            WHERE NOT EXISTS (SELECT FROM counted)
            """;

        public const string Clear = "DELETE FROM login_throttles WHERE email_sha256 = @EmailSha256";

        public const string TakeBack = """
            UPDATE login_throttles
            SET failures = greatest(failures - 1, 0),
                blocked_until = CASE WHEN blocked_until = @BlockedUntil::timestamptz THEN NULL ELSE blocked_until END
            WHERE email_sha256 = @EmailSha256
            """;
    }
}
