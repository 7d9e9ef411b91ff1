using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Browsers that are signed in: begun and ended, in the caller's transaction.</summary>
/// <remarks>A session ends when its row does, or its time; no process remembers one, so the end is at once, everywhere.</remarks>
public sealed class Sessions(Settings settings, Caller caller, TimeProvider clock)
{
    public const string Password = "password";
    public const string SecondFactor = "totp";
    public const string Provider = "oidc";

    private const int SecretLength = 43; // 256 bits
    private const int MaxAgentLength = 300;

    /// <summary>Begins a session; null where the user was disabled, or has another password, since he was proven.</summary>
    /// <param name="method">How he was proven: <c>password</c>, <c>totp</c>, <c>oidc</c>.</param>
    /// <param name="agent">What the browser says it is.</param>
    /// <param name="replaced">The secret of the session that came along: it ends, whoever's it was.</param>
    /// <returns>The secret: what the cookie holds. Only its SHA-256 is kept.</returns>
    public async Task<string?> BeginAsync(
        NpgsqlConnection connection,
        KnownUser user,
        string method,
        string? agent,
        string? replaced,
        CancellationToken cancellationToken
    )
    {
        var now = clock.GetUtcNow();
        var secret = Base62.Random(SecretLength);
        if (replaced is not null)
        {
            await EndAsync(connection, replaced, cancellationToken);
        }

        var arguments = new
        {
            UserId = user.Id,
            user.TokenEpoch,
            Id = Guid.CreateVersion7(now),
            Sha256 = Sha256Of(secret),
            Method = method,
            Address = caller.Address is { IsIPv4MappedToIPv6: true } mapped
                ? mapped.MapToIPv4().ToString()
                : caller.Address?.ToString(),
            Agent = CutAgent(agent),
            Now = now.UtcDateTime,
            ExpiresAt = now.UtcDateTime + settings.SessionAbsolute,
        };
        return await connection.ExecuteAsync(Sql.Begin.With(arguments, cancellationToken)) == 1 ? secret : null;
    }

    /// <summary>Ends the session of that secret, if there is one.</summary>
    public static Task EndAsync(NpgsqlConnection connection, string secret, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(Sql.End.With(new { Sha256 = Sha256Of(secret) }, cancellationToken));

    /// <summary>Ends every session and family of tokens of a user, and what access tokens of his are worth.</summary>
    /// <param name="butFamily">The family of tokens that goes on by its refresh token.</param>
    public async Task EndAllAsync(
        NpgsqlConnection connection,
        Guid userId,
        Guid? butFamily,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            UserId = userId,
            ButFamily = butFamily,
            Now = clock.GetUtcNow().UtcDateTime,
        };
        // the user first: who is just beginning a session waits for this row, and then finds another epoch
        await connection.ExecuteAsync(Sql.RaiseEpoch.With(arguments, cancellationToken));
        await connection.ExecuteAsync(Sql.EndAll.With(arguments, cancellationToken));
    }

    /// <summary>So much of what a browser or program says it is as is kept, and no half of a character.</summary>
    internal static string? CutAgent(string? agent) =>
        agent is not { Length: > MaxAgentLength } ? agent
        : char.IsHighSurrogate(agent[MaxAgentLength - 1]) ? agent[..(MaxAgentLength - 1)]
        : agent[..MaxAgentLength];

    public static byte[] Sha256Of(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    private static class Sql
    {
        public const string Begin = """
            WITH proven AS (
                UPDATE users
                SET last_login_at = @Now
                WHERE id = @UserId AND token_epoch = @TokenEpoch AND disabled_at IS NULL
                RETURNING id
            )
            INSERT INTO sessions (
                user_id, id, secret_sha256, method, address, user_agent, created_at, last_seen_at, expires_at
            )
            SELECT id, @Id, @Sha256, @Method, @Address::inet, @Agent, @Now, @Now, @ExpiresAt FROM proven
            """;

        public const string End = "DELETE FROM sessions WHERE secret_sha256 = @Sha256";

        public const string RaiseEpoch =
            "UPDATE users SET token_epoch = token_epoch + 1, updated_at = @Now WHERE id = @UserId";

        public const string EndAll = """
            WITH ended AS (
                UPDATE token_families
                SET ended_at = @Now, ended_because = 'signed_out'
                WHERE user_id = @UserId AND ended_at IS NULL AND id IS DISTINCT FROM @ButFamily::uuid
            ),
            goes_on AS (
                UPDATE token_families
                SET token_epoch = (SELECT token_epoch FROM users WHERE id = @UserId)
                WHERE user_id = @UserId AND id = @ButFamily::uuid AND ended_at IS NULL
            )
            DELETE FROM sessions WHERE user_id = @UserId
            """;
    }
}
