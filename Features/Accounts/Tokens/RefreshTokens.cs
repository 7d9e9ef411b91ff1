using System.Net;
using System.Security.Cryptography;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>A family of tokens, and the refresh token that goes on with it.</summary>
/// <param name="Epoch">The user's, which it holds for.</param>
internal sealed record TokenFamily(Guid UserId, Guid Id, int Epoch, DateTime ExpiresAt, RefreshToken Refresh);

/// <summary>What came of spending a refresh token: the family goes on, or it does not.</summary>
/// <param name="EndedFor">The user whose family was ended, since the token had been spent before.</param>
internal sealed record Spending(TokenFamily? Family, Guid? EndedFor = null, Guid? EndedFamily = null);

/// <summary>Begins families of tokens, goes on with them, and ends them.</summary>
/// <remarks>
/// <para>A family lasts 30 days from its login, its refresh token for 7 days; each is spent once, for its successor, in one
/// statement: of many who spend it at once one does, and the others get the same successor for ten seconds. Spent later, it was
/// copied, and the family ends for whoever has it.</para>
/// <para>A family ends with its user's being disabled or signed out everywhere as well. Ended by any process, its access tokens
/// are rejected within five seconds by all.</para>
/// </remarks>
internal sealed class RefreshTokens(KeyRing ring, Settings settings, TimeProvider clock)
{
    public const string Reused = "reused";
    public const string Revoked = "revoked";

    // the active one first
    private readonly byte[][] _keys = [.. ring.Keys.Select(key => key.Derive("refresh tokens"))];

    /// <summary>Null: the user may not sign in, or was signed out everywhere since he was proven.</summary>
    public async Task<TokenFamily?> BeginAsync(
        NpgsqlConnection connection,
        Guid userId,
        int epoch,
        IPAddress? address,
        string? agent,
        CancellationToken cancellationToken
    )
    {
        var now = clock.GetUtcNow();
        var token = RefreshToken.Create();
        await using var command = new NpgsqlCommand(Sql.Begin, connection)
        {
            Parameters =
            {
                new("UserId", userId),
                new("Id", Guid.CreateVersion7(now)),
                new("Address", NpgsqlDbType.Inet) { Value = (object?)Plain(address) ?? DBNull.Value },
                new("Epoch", epoch),
                new("Agent", NpgsqlDbType.Text) { Value = (object?)Sessions.CutAgent(agent) ?? DBNull.Value },
                new("Sha256", token.Sha256),
                new("Now", now.UtcDateTime),
                new("ExpiresAt", now.UtcDateTime.AddDays(settings.TokenRefreshDays)),
            },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new TokenFamily(userId, reader.GetGuid(0), reader.GetInt32(1), reader.GetDateTime(2), token)
            : null;
    }

    /// <summary>Spends the token. To be called inside a transaction that is committed in any case.</summary>
    public async Task<Spending> SpendAsync(
        NpgsqlConnection connection,
        RefreshToken token,
        CancellationToken cancellationToken
    )
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var successor = token.Successor(_keys[0]);
        var arguments = new
        {
            token.Sha256,
            Successor = successor.Sha256,
            Now = now,
            IdleSince = now.AddDays(-settings.TokenIdleDays),
            SpentSince = now - TokenLife.Grace,
            Because = Reused,
        };
        if (await FamilyAsync(connection, Sql.Spend, arguments, cancellationToken) is { } spent)
        {
            return new Spending(spent.With(successor));
        }

        if (await FamilyAsync(connection, Sql.Repeat, arguments, cancellationToken) is { } repeated)
        {
            // another process may have had another active key when it was spent
            var known = _keys
                .Select(token.Successor)
                .FirstOrDefault(one => CryptographicOperations.FixedTimeEquals(one.Sha256, repeated.SuccessorSha256));
            return new Spending(known is null ? null : repeated.With(known));
        }

        var ended = await connection.QuerySingleOrDefaultAsync<EndedRow>(Sql.End.With(arguments, cancellationToken));
        return new Spending(null, ended?.UserId, ended?.Id);
    }

    /// <summary>Ends the family of the token, whether that was spent or not; null: there is none that goes on.</summary>
    public async Task<Guid?> RevokeAsync(
        NpgsqlConnection connection,
        RefreshToken token,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            token.Sha256,
            Now = clock.GetUtcNow().UtcDateTime,
            Because = Revoked,
        };
        var ended = await connection.QuerySingleOrDefaultAsync<EndedRow>(Sql.Revoke.With(arguments, cancellationToken));
        return ended?.UserId;
    }

    private static Task<FamilyRow?> FamilyAsync(
        NpgsqlConnection connection,
        string sql,
        object arguments,
        CancellationToken cancellationToken
    ) => connection.QuerySingleOrDefaultAsync<FamilyRow?>(sql.With(arguments, cancellationToken));

    private static IPAddress? Plain(IPAddress? address) =>
        address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;

    // not by constructor: Dapper cannot give an array to one
    private sealed record FamilyRow
    {
        public required Guid UserId { get; init; }

        public required Guid Id { get; init; }

        public required int TokenEpoch { get; init; }

        public required DateTime ExpiresAt { get; init; }

        public required byte[] SuccessorSha256 { get; init; }

        public TokenFamily With(RefreshToken refresh) => new(UserId, Id, TokenEpoch, ExpiresAt, refresh);
    }

    private sealed record EndedRow(Guid UserId, Guid Id);

    private static class Sql
    {
        public const string Begin = """
            WITH family AS (
                INSERT INTO token_families (user_id, id, token_epoch, address, user_agent, created_at, expires_at)
                SELECT id, @Id::uuid, token_epoch, @Address::inet, @Agent::text, @Now::timestamptz, @ExpiresAt::timestamptz
                FROM users
                WHERE id = @UserId AND disabled_at IS NULL AND token_epoch = @Epoch
                RETURNING user_id, id, token_epoch, expires_at
            ),
            first AS (
                INSERT INTO refresh_tokens (secret_sha256, user_id, family_id, created_at)
                SELECT @Sha256::bytea, user_id, id, @Now::timestamptz FROM family
            )
            SELECT id, token_epoch, expires_at FROM family
            """;

        public const string Spend = """
            WITH spent AS (
                UPDATE refresh_tokens AS t
                SET spent_at = @Now::timestamptz, successor_sha256 = @Successor::bytea
                FROM token_families AS f
                JOIN users AS u ON u.id = f.user_id
                WHERE t.secret_sha256 = @Sha256 AND t.spent_at IS NULL AND t.created_at > @IdleSince
                    AND f.user_id = t.user_id AND f.id = t.family_id AND f.ended_at IS NULL AND f.expires_at > @Now
                    AND u.disabled_at IS NULL AND u.token_epoch = f.token_epoch
                RETURNING f.user_id, f.id, f.token_epoch, f.expires_at, t.successor_sha256
            ),
            next AS (
                INSERT INTO refresh_tokens (secret_sha256, user_id, family_id, created_at)
                SELECT successor_sha256, user_id, id, @Now::timestamptz FROM spent
            )
            SELECT user_id AS userid, id, token_epoch AS tokenepoch, expires_at AS expiresat,
                successor_sha256 AS successorsha256
            FROM spent
            """;

        public const string Repeat = """
            SELECT f.user_id AS userid, f.id, f.token_epoch AS tokenepoch, f.expires_at AS expiresat,
                t.successor_sha256 AS successorsha256
            FROM refresh_tokens AS t
            JOIN token_families AS f ON f.user_id = t.user_id AND f.id = t.family_id
            JOIN users AS u ON u.id = f.user_id
            WHERE t.secret_sha256 = @Sha256 AND t.spent_at > @SpentSince AND f.ended_at IS NULL AND f.expires_at > @Now
                AND u.disabled_at IS NULL AND u.token_epoch = f.token_epoch
            """;

        public const string End = """
            UPDATE token_families AS f
            SET ended_at = @Now, ended_because = @Because
            FROM refresh_tokens AS t
            WHERE t.secret_sha256 = @Sha256 AND t.spent_at <= @SpentSince AND f.user_id = t.user_id AND f.id = t.family_id
                AND f.ended_at IS NULL
            RETURNING f.user_id, f.id
            """;

        public const string Revoke = """
            UPDATE token_families AS f
            SET ended_at = @Now, ended_because = @Because
            FROM refresh_tokens AS t
            WHERE t.secret_sha256 = @Sha256 AND f.user_id = t.user_id AND f.id = t.family_id AND f.ended_at IS NULL
            RETURNING f.user_id, f.id
            """;
    }
}
