using System.Collections.Concurrent;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Features.ApiKeys;

/// <summary>Finds who an API key belongs to, asking the database at most once in 4 s for each.</summary>
/// <remarks>
/// A key that is revoked or changed loses its rights within 5 s in every process. Ids that nobody has are remembered as well,
/// for as long; the memory is bounded.
/// </remarks>
public sealed partial class KnownKeys(NpgsqlDataSource database, TimeProvider clock, ILogger<KnownKeys> logger)
{
    private const int Capacity = 10_000;
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan UseInterval = TimeSpan.FromMinutes(1);

    // written by any request that finds its entry missing or stale; read by all
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    // when the use of a key was last written by this process
    private readonly ConcurrentDictionary<string, long> _uses = new(StringComparer.Ordinal);

    /// <summary>The key's identity, or null where it is unknown, wrong, revoked or expired.</summary>
    public async ValueTask<Identity?> FindAsync(ApiKey key, CancellationToken cancellationToken)
    {
        var entry = Current(key.Id);
        try
        {
            var known = await entry.Loading.WaitAsync(cancellationToken);
            return known is not null && known.Takes(key, clock.GetUtcNow()) ? known.Identity : null;
        }
        catch when (entry.Loading.IsFaulted)
        {
            _entries.TryRemove(KeyValuePair.Create(key.Id, entry)); // an outage is not remembered
            throw;
        }
    }

    /// <summary>The same for who showed the key before and has something for it that bears its mark.</summary>
    public async ValueTask<Identity?> FindAsync(Guid id, string mark, CancellationToken cancellationToken)
    {
        var keyId = CrockfordBase32.Encode(id);
        var entry = Current(keyId);
        try
        {
            var known = await entry.Loading.WaitAsync(cancellationToken);
            return known is not null && known.Bears(mark, clock.GetUtcNow()) ? known.Identity : null;
        }
        catch when (entry.Loading.IsFaulted)
        {
            _entries.TryRemove(KeyValuePair.Create(keyId, entry)); // an outage is not remembered
            throw;
        }
    }

    /// <summary>Whether this very key was valid when it was last looked up, however long ago; asks nobody.</summary>
    public bool Remembers(ApiKey key) =>
        _entries.TryGetValue(key.Id, out var entry)
        && entry.Lookup.IsValueCreated
        && entry.Loading is { IsCompletedSuccessfully: true, Result: { } known }
        && known.Takes(key, clock.GetUtcNow());

    /// <summary>True for one caller a minute, who then calls <see cref="RecordUseAsync"/> when its answer is out.</summary>
    public bool ClaimUse(ApiKey key)
    {
        var now = clock.GetTimestamp();
        return _uses.TryGetValue(key.Id, out var last)
            ? clock.GetElapsedTime(last, now) >= UseInterval && _uses.TryUpdate(key.Id, now, last)
            : _uses.TryAdd(key.Id, now);
    }

    /// <summary>Notes that a key was used. An outage is not the caller's concern.</summary>
    public async Task RecordUseAsync(Guid projectId, ApiKey key)
    {
        try
        {
            await using var connection = await database.OpenConnectionAsync();
            await connection.ExecuteAsync(
                Sql.RecordUse.With(new { ProjectId = projectId, Id = key.RowId }, CancellationToken.None)
            );
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            UseNotRecorded(logger, exception.Message);
        }
    }

    private Entry Current(string keyId)
    {
        var now = clock.GetTimestamp();
        if (_entries.TryGetValue(keyId, out var entry) && clock.GetElapsedTime(entry.Since, now) < Freshness)
        {
            return entry;
        }

        if (_entries.Count >= Capacity)
        {
            _entries.Clear();
            _uses.Clear();
        }

        var fresh = new Entry(now, new Lazy<Task<Known?>>(() => LoadAsync(keyId)));
        return _entries.AddOrUpdate(
            keyId,
            fresh,
            // of those who found it stale together, the first one's stays
            (_, other) => ReferenceEquals(other, entry) || other.Since < entry?.Since ? fresh : other
        );
    }

    // shared by all who wait for it, so it ends with nobody's token
    private async Task<Known?> LoadAsync(string keyId)
    {
        await using var connection = await database.OpenConnectionAsync(CancellationToken.None);
        var row = await connection.QuerySingleOrDefaultAsync<Row>(
            Sql.Find.With(new { KeyId = keyId }, CancellationToken.None)
        );
        return row is null ? null : new Known(row);
    }

    [LoggerMessage(LogLevel.Debug, "The use of a key could not be noted: {Reason}")]
    private static partial void UseNotRecorded(ILogger logger, string reason);

    // not by constructor: Dapper cannot give an array to one
    private sealed record Row
    {
        public required Guid Id { get; init; }

        public required Guid ProjectId { get; init; }

        public required string Name { get; init; }

        public required byte[] SecretSha256 { get; init; }

        public required string Role { get; init; }

        public required string Access { get; init; }

        public DateTime? ExpiresAt { get; init; }

        public byte[]? OldSha256 { get; init; }

        public DateTime? OldExpiresAt { get; init; }
    }

    private sealed record Entry(long Since, Lazy<Task<Known?>> Lookup)
    {
        public Task<Known?> Loading => Lookup.Value;
    }

    private sealed class Known(Row row)
    {
        public Identity Identity { get; } = ToIdentity(row, Access.Read(row.Access));

        /// <summary>The key as it is, or, for as long as that was said when it was rotated, as it was before.</summary>
        public bool Takes(ApiKey key, DateTimeOffset now) =>
            (row.ExpiresAt is null || now.UtcDateTime < row.ExpiresAt)
            && (
                key.Matches(row.SecretSha256)
                || (row.OldSha256 is { } old && now.UtcDateTime < row.OldExpiresAt && key.Matches(old))
            );

        public bool Bears(string mark, DateTimeOffset now) =>
            (row.ExpiresAt is null || now.UtcDateTime < row.ExpiresAt)
            && (
                mark == ApiKey.MarkOf(row.SecretSha256)
                || (row.OldSha256 is { } old && now.UtcDateTime < row.OldExpiresAt && mark == ApiKey.MarkOf(old))
            );

        private static Identity ToIdentity(Row row, Access access) =>
            new(row.ProjectId, $"key:{row.Name}", Roles.Allow(row.Role, access.Scopes))
            {
                KeyId = row.Id,
                Method = ProofMethod.ApiKey,
                Role = row.Role,
                Access = access,
            };
    }

    private static class Sql
    {
        // engine-wide: a caller shows its key before its project is known
        public const string Find = """
            SELECT id, project_id AS projectid, name, secret_sha256 AS secretsha256, role, access::text, expires_at AS expiresat,
                old_sha256 AS oldsha256, old_expires_at AS oldexpiresat
            FROM api_keys
            WHERE key_id = @KeyId AND revoked_at IS NULL
            """;

        public const string RecordUse = """
            UPDATE api_keys SET last_used_at = now()
            WHERE project_id = @ProjectId AND id = @Id AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
            """;
    }
}
