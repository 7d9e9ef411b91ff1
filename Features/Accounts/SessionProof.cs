using System.Collections.Concurrent;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Proves a user by the cookie of his session. Asked of the database each time: an end of it is one at once, everywhere.</summary>
/// <remarks>
/// What changes something needs the session's token as <c>X-CSRF-Token</c>, or a browser that says that a page of ours sent it:
/// else the user is known and may do nothing. With an <c>Authorization</c> header the cookie is not looked at.
/// </remarks>
internal sealed class SessionProof(NpgsqlDataSource database, Settings settings, TimeProvider clock) : ICallerProof
{
    private const int Capacity = 10_000;

    // hashes of secrets that were good once, so that an address that fails too often shuts nobody out who was here before;
    // written and read by any request, no proof of anything
    private readonly ConcurrentDictionary<string, bool> _seen = new(StringComparer.Ordinal);

    public bool IsShown(HttpContext http) =>
        http.Request.Headers.Authorization.Count == 0 && http.Request.Cookies.ContainsKey(SessionCookie.Name);

    public async ValueTask<Identity?> ProveAsync(
        HttpContext http,
        bool rememberedOnly,
        CancellationToken cancellationToken
    )
    {
        if (SessionCookie.Read(http) is not { } secret)
        {
            return null;
        }

        var sha256 = Sessions.Sha256Of(secret);
        var mark = Convert.ToBase64String(sha256);
        if (rememberedOnly && !_seen.ContainsKey(mark))
        {
            return null;
        }

        var now = clock.GetUtcNow().UtcDateTime;
        var arguments = new
        {
            Sha256 = sha256,
            Now = now,
            IdleSince = now - settings.SessionIdle,
            // an answer that goes on by itself is no use of the session
            SeenBefore = http.Response.HasStarted ? DateTime.MinValue : now.AddMinutes(-1),
        };
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = (await connection.QueryAsync<Row>(Sql.Find.With(arguments, cancellationToken))).AsList();
        if (rows.Count == 0)
        {
            _seen.TryRemove(mark, out _);
            return null;
        }

        if (_seen.Count >= Capacity)
        {
            _seen.Clear();
        }

        _seen[mark] = true;
        var identity = ProjectChoice.Of(Row.ToUser(rows), http, ProofMethod.Session, rows[0].SessionId);
        return
            IsSafe(http.Request.Method)
            || SessionCookie.HasCsrfToken(http, secret)
            || OwnOrigin.IsProven(http, settings)
            ? identity
            : identity.Barred(OwnOrigin.Refusal);
    }

    private static bool IsSafe(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method);

    private sealed record Row(
        Guid SessionId,
        Guid UserId,
        string Email,
        int TokenEpoch,
        Guid? MemberId,
        Guid? ProjectId,
        string? Project,
        bool? IsArchived,
        string? Role,
        string? Access
    )
    {
        public static KnownUser ToUser(List<Row> rows) =>
            new(
                rows[0].UserId,
                rows[0].Email,
                rows[0].TokenEpoch,
                IsDisabled: false,
                [
                    .. rows.Where(row => row.MemberId is not null)
                        .Select(row => new KnownMembership(
                            row.MemberId!.Value,
                            row.ProjectId!.Value,
                            row.Project!,
                            row.IsArchived!.Value,
                            row.Role!,
                            Infrastructure.Auth.Access.Read(row.Access!)
                        )),
                ]
            );
    }

    private static class Sql
    {
        public const string Find = """
            WITH found AS (
                SELECT s.id AS session_id, u.id AS user_id, u.email, u.token_epoch, s.last_seen_at
                FROM sessions AS s
                JOIN users AS u ON u.id = s.user_id
                WHERE s.secret_sha256 = @Sha256
                    AND s.expires_at > @Now
                    AND s.last_seen_at > @IdleSince
                    AND u.disabled_at IS NULL
            ),
            seen AS (
                UPDATE sessions
                SET last_seen_at = @Now
                FROM found
                WHERE sessions.user_id = found.user_id
                    AND sessions.id = found.session_id
                    AND sessions.last_seen_at < @SeenBefore
            )
            SELECT f.session_id, f.user_id, f.email, f.token_epoch, m.id AS member_id, m.project_id, p.name AS project,
                p.archived_at IS NOT NULL AS is_archived, m.role, m.access::text AS access
            FROM found AS f
            LEFT JOIN memberships AS m ON m.user_id = f.user_id AND m.disabled_at IS NULL
            LEFT JOIN projects AS p ON p.id = m.project_id
            ORDER BY p.name
            """;
    }
}
