using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Features.ApiKeys;

/// <summary>Finds who an API key belongs to, asking the database at most once in 4 s for each.</summary>
/// <remarks>
/// Where a key's secret is not the one that is remembered, it may have just been rotated: then it is asked at once, in vain five
/// times in those seconds at most, so that whoever guesses does not have it asked each time.
/// A key that is revoked or changed loses its rights within 5 s in every process. Ids that nobody has are remembered as well,
/// for as long; the memory is bounded.
/// </remarks>
public sealed partial class KnownKeys : IDisposable
{
    private const string Topic = "api-keys:";

    private const int Capacity = 10_000;
    private const int MaxRereads = 5;
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan UseInterval = TimeSpan.FromMinutes(1);

    // written by any request that finds its entry missing or stale; read by all
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    // when the use of a key was last written by this process
    private readonly ConcurrentDictionary<string, long> _uses = new(StringComparer.Ordinal);

    private readonly NpgsqlDataSource _database;
    private readonly Notifications _notifications;
    private readonly TimeProvider _clock;
    private readonly ILogger<KnownKeys> _logger;
    private readonly IDisposable _changes;

    public KnownKeys(
        NpgsqlDataSource database,
        Notifications notifications,
        TimeProvider clock,
        ILogger<KnownKeys> logger
    )
    {
        (_database, _notifications, _clock, _logger) = (database, notifications, clock, logger);
        _changes = notifications.Subscribe(Topic, Drop);
    }

    /// <summary>The key's identity, or null where it is unknown, wrong, revoked or expired.</summary>
    public ValueTask<Identity?> FindAsync(ApiKey key, CancellationToken cancellationToken) =>
        FindAsync(key.Id, known => known.Takes(key, _clock.GetUtcNow()), cancellationToken);

    /// <summary>The same for who showed the key before and has something for it that bears its mark.</summary>
    public ValueTask<Identity?> FindAsync(Guid id, string mark, CancellationToken cancellationToken) =>
        FindAsync(CrockfordBase32.Encode(id), known => known.Bears(mark, _clock.GetUtcNow()), cancellationToken);

    private async ValueTask<Identity?> FindAsync(
        string keyId,
        Func<Known, bool> isProven,
        CancellationToken cancellationToken
    )
    {
        var begun = _clock.GetTimestamp();
        var entry = Current(keyId);
        try
        {
            var known = await entry.Loading.WaitPatientlyAsync(cancellationToken);
            if (known is not null && !isProven(known) && entry.Since < begun && entry.Rereads < MaxRereads)
            {
                entry = Reread(keyId, entry);
                known = await entry.Loading.WaitPatientlyAsync(cancellationToken);
                if (known is not null && isProven(known))
                {
                    // it was rotated indeed: only what leads to nothing is counted
                    _entries.TryUpdate(keyId, entry with { Rereads = 0 }, entry);
                }
            }

            return known is not null && isProven(known) ? known.Identity : null;
        }
        catch when (entry.Loading.IsFaulted)
        {
            _entries.TryRemove(KeyValuePair.Create(keyId, entry)); // an outage is not remembered
            throw;
        }
    }

    /// <summary>To be called when a change of the key is committed; other processes are told.</summary>
    public void Forget(string keyId)
    {
        _entries.TryRemove(keyId, out _);
        _notifications.Send(Topic + keyId);
    }

    /// <summary>To be called when something about a project was committed: which keys are its own nobody remembers.</summary>
    public void ForgetAll()
    {
        _entries.Clear();
        _notifications.Send(Topic);
    }

    public void Dispose() => _changes.Dispose();

    /// <summary>Whether this very key was valid when it was last looked up, however long ago; asks nobody.</summary>
    public bool Remembers(ApiKey key) =>
        _entries.TryGetValue(key.Id, out var entry)
        && entry.Lookup.IsValueCreated
        && entry.Loading is { IsCompletedSuccessfully: true, Result: { } known }
        && known.Takes(key, _clock.GetUtcNow());

    /// <summary>True for one caller a minute, who then calls <see cref="RecordUseAsync"/> when its answer is out.</summary>
    public bool ClaimUse(ApiKey key)
    {
        var now = _clock.GetTimestamp();
        return _uses.TryGetValue(key.Id, out var last)
            ? _clock.GetElapsedTime(last, now) >= UseInterval && _uses.TryUpdate(key.Id, now, last)
            : _uses.TryAdd(key.Id, now);
    }

    /// <summary>Notes that a key was used. An outage is not the caller's concern.</summary>
    public async Task RecordUseAsync(Guid projectId, ApiKey key)
    {
        try
        {
            await using var connection = await _database.OpenConnectionAsync();
            await connection.ExecuteAsync(
                Sql.RecordUse.With(new { ProjectId = projectId, Id = key.RowId }, CancellationToken.None)
            );
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            UseNotRecorded(_logger, exception.Message);
        }
    }

    // after a gap any topic may have been missed
    private void Drop(string topic)
    {
        if (topic.Length == Topic.Length)
        {
            _entries.Clear();
        }
        else
        {
            _entries.TryRemove(topic[Topic.Length..], out _);
        }
    }

    private Entry Current(string keyId)
    {
        var now = _clock.GetTimestamp();
        if (_entries.TryGetValue(keyId, out var entry) && _clock.GetElapsedTime(entry.Since, now) < Freshness)
        {
            return entry;
        }

        if (_entries.Count >= Capacity)
        {
            _entries.Clear();
            _uses.Clear();
        }

        var fresh = ToLoad(keyId, now, rereads: 0);
        return _entries.AddOrUpdate(
            keyId,
            fresh,
            // of those who found it stale together, the first one's stays
            (_, other) => ReferenceEquals(other, entry) || other.Since < entry?.Since ? fresh : other
        );
    }

    private Entry Reread(string keyId, Entry entry)
    {
        var again = ToLoad(keyId, _clock.GetTimestamp(), entry.Rereads + 1);
        return _entries.TryUpdate(keyId, again, entry) ? again : Current(keyId);
    }

    private Entry ToLoad(string keyId, long now, int rereads) =>
        new(now, new Lazy<Task<Known?>>(() => LoadAsync(keyId)), rereads);

    // shared by all who wait for it, so it ends with nobody's token
    private async Task<Known?> LoadAsync(string keyId)
    {
        await using var connection = await _database.OpenConnectionAsync(CancellationToken.None);
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

        public bool IsArchived { get; init; }
    }

    /// <param name="Rereads">How often it was asked again before its time.</param>
    private sealed record Entry(long Since, Lazy<Task<Known?>> Lookup, int Rereads)
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
                IsMark(mark, row.SecretSha256)
                || (row.OldSha256 is { } old && now.UtcDateTime < row.OldExpiresAt && IsMark(mark, old))
            );

        private static bool IsMark(string mark, byte[] secretSha256) =>
            CryptographicOperations.FixedTimeEquals(
                Encoding.UTF8.GetBytes(mark),
                Encoding.UTF8.GetBytes(ApiKey.MarkOf(secretSha256))
            );

        private static Identity ToIdentity(Row row, Access access)
        {
            var identity = new Identity(row.ProjectId, $"key:{row.Name}", Roles.Allow(row.Role, access.Scopes))
            {
                KeyId = row.Id,
                Method = ProofMethod.ApiKey,
                Role = row.Role,
                Access = access,
            };
            return row.IsArchived ? identity.InArchive() : identity;
        }
    }

    private static class Sql
    {
        // engine-wide: a caller shows its key before its project is known
        public const string Find = """
            SELECT k.id, k.project_id, k.name, k.secret_sha256, k.role, k.access::text AS access, k.expires_at, k.old_sha256,
                k.old_expires_at, p.archived_at IS NOT NULL AS is_archived
            FROM api_keys AS k
            JOIN projects AS p ON p.id = k.project_id
            WHERE k.key_id = @KeyId AND k.revoked_at IS NULL
            """;

        public const string RecordUse = """
            UPDATE api_keys SET last_used_at = now()
            WHERE project_id = @ProjectId AND id = @Id AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
            """;
    }
}
