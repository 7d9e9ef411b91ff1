using System.Collections.Concurrent;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>What a project says of an issuer.</summary>
internal sealed record KnownIssuer(
    Guid ProjectId,
    string Project,
    bool IsArchived,
    Guid Id,
    string Name,
    string Issuer,
    string Audience,
    string? JwksUrl,
    string? Subject,
    string Role,
    Access Access
);

/// <summary>Which projects take the tokens of an issuer, as it was at most four seconds ago.</summary>
/// <remarks>Issuers that nobody has named are remembered as well, for as long; the memory is bounded.</remarks>
internal sealed class KnownIssuers(NpgsqlDataSource database, TimeProvider clock)
{
    private const int Capacity = 1_000;
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(4);

    // written by any request that finds its entry missing or stale; read by all
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    // raised by whoever forgets: what was read meanwhile may be from before
    private long _forgotten;

    /// <param name="rememberedOnly">The database is not to be asked about one that is seen for the first time.</param>
    public async ValueTask<IReadOnlyList<KnownIssuer>> FindAsync(
        string issuer,
        bool rememberedOnly,
        CancellationToken cancellationToken
    )
    {
        var now = clock.GetTimestamp();
        var isKnown = _entries.TryGetValue(issuer, out var entry);
        if (isKnown && clock.GetElapsedTime(entry!.Since, now) < Freshness)
        {
            return entry.Issuers;
        }

        if (rememberedOnly && (!isKnown || entry!.Issuers.Count == 0))
        {
            return [];
        }

        var forgotten = Volatile.Read(ref _forgotten);
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(Sql.Find.With(new { Issuer = issuer }, cancellationToken));
        KnownIssuer[] found = [.. rows.Select(row => row.ToIssuer(issuer))];
        if (_entries.Count >= Capacity)
        {
            _entries.Clear();
        }

        var read = new Entry(now, found);
        _entries[issuer] = read;
        if (Volatile.Read(ref _forgotten) != forgotten)
        {
            _entries.TryRemove(KeyValuePair.Create(issuer, read));
        }

        return found;
    }

    /// <summary>Has the next look go to the database.</summary>
    public void Forget(string issuer)
    {
        Interlocked.Increment(ref _forgotten);
        _entries.TryRemove(issuer, out _);
    }

    /// <summary>The same for all: something about a project has changed.</summary>
    public void ForgetAll()
    {
        Interlocked.Increment(ref _forgotten);
        _entries.Clear();
    }

    private sealed record Entry(long Since, IReadOnlyList<KnownIssuer> Issuers);

    private sealed record Row(
        Guid ProjectId,
        string Project,
        bool IsArchived,
        Guid Id,
        string Name,
        string Audience,
        string? JwksUrl,
        string? Subject,
        string Role,
        string Access
    )
    {
        public KnownIssuer ToIssuer(string issuer) =>
            new(
                ProjectId,
                Project,
                IsArchived,
                Id,
                Name,
                issuer,
                Audience,
                JwksUrl,
                Subject,
                Role,
                Infrastructure.Auth.Access.Read(Access)
            );
    }

    private static class Sql
    {
        // engine-wide: a token is shown before its project is known
        public const string Find = """
            SELECT t.project_id, p.name AS project, p.archived_at IS NOT NULL AS is_archived, t.id, t.name, t.audience,
                t.jwks_url, t.subject, t.role, t.access::text AS access
            FROM token_issuers AS t
            JOIN projects AS p ON p.id = t.project_id
            WHERE t.issuer = @Issuer
            ORDER BY p.name, t.name
            """;
    }
}
