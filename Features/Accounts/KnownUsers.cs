using System.Collections.Concurrent;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>A user as authentication sees him.</summary>
/// <param name="TokenEpoch">Access tokens of an earlier one are worth nothing.</param>
public sealed record KnownUser(
    Guid Id,
    string Email,
    int TokenEpoch,
    bool IsDisabled,
    IReadOnlyList<KnownMembership> Memberships
)
{
    /// <summary>As he stands in records.</summary>
    public string Actor => $"user:{Email}";
}

/// <summary>What a user may do in one project.</summary>
public sealed record KnownMembership(
    Guid Id,
    Guid ProjectId,
    string Project,
    bool IsArchived,
    string Role,
    Access Access
);

/// <summary>Who users are and what they may do where, asking the database at most once in 4 s for each.</summary>
/// <remarks>
/// A user who is disabled, or whose role is another, is treated so within 5 s in every process, and at once in the one that
/// changed it. The memory is bounded.
/// </remarks>
public sealed class KnownUsers : IDisposable
{
    private const string Topic = "users:";
    private const int Capacity = 10_000;
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(4);

    // written by any request that finds its entry missing or stale; read by all
    private readonly ConcurrentDictionary<Guid, Entry> _entries = new();

    private readonly NpgsqlDataSource _database;
    private readonly Notifications _notifications;
    private readonly TimeProvider _clock;
    private readonly IDisposable _changes;

    // raised by whoever forgets: what was read meanwhile may be from before
    private long _forgotten;

    public KnownUsers(NpgsqlDataSource database, Notifications notifications, TimeProvider clock)
    {
        (_database, _notifications, _clock) = (database, notifications, clock);
        _changes = notifications.Subscribe(Topic, Drop);
    }

    /// <summary>The user as he was at most 4 s ago; null: there is none.</summary>
    public async ValueTask<KnownUser?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        var now = _clock.GetTimestamp();
        if (_entries.TryGetValue(id, out var entry) && _clock.GetElapsedTime(entry.Since, now) < Freshness)
        {
            return entry.User;
        }

        var forgotten = Volatile.Read(ref _forgotten);
        await using var connection = await _database.OpenConnectionAsync(cancellationToken);
        var user = await ReadAsync(connection, id, cancellationToken);
        if (_entries.Count >= Capacity)
        {
            _entries.Clear();
        }

        var read = new Entry(now, user);
        _entries[id] = read;
        if (Volatile.Read(ref _forgotten) != forgotten)
        {
            _entries.TryRemove(KeyValuePair.Create(id, read));
        }

        return user;
    }

    /// <summary>To be called when something about the user was committed; other processes are told.</summary>
    public void Forget(Guid id)
    {
        Interlocked.Increment(ref _forgotten);
        _entries.TryRemove(id, out _);
        _notifications.Send($"{Topic}{id:N}");
    }

    /// <summary>To be called when something about a project was committed, whoever its members are.</summary>
    public void ForgetAll()
    {
        Interlocked.Increment(ref _forgotten);
        _entries.Clear();
        _notifications.Send(Topic);
    }

    public void Dispose() => _changes.Dispose();

    /// <summary>The user as he is now.</summary>
    public static async Task<KnownUser?> ReadAsync(
        NpgsqlConnection connection,
        Guid id,
        CancellationToken cancellationToken
    )
    {
        var rows = (await connection.QueryAsync<Row>(Sql.Find.With(new { Id = id }, cancellationToken))).AsList();
        return rows is [var first, ..]
            ? new KnownUser(
                id,
                first.Email,
                first.TokenEpoch,
                first.IsDisabled,
                [.. rows.Where(row => row.MemberId is not null).Select(row => row.ToMembership())]
            )
            : null;
    }

    // after a gap any topic may have been missed
    private void Drop(string topic)
    {
        Interlocked.Increment(ref _forgotten);
        if (Guid.TryParseExact(topic[Topic.Length..], "N", out var id))
        {
            _entries.TryRemove(id, out _);
        }
        else
        {
            _entries.Clear();
        }
    }

    private sealed record Entry(long Since, KnownUser? User);

    private sealed record Row(
        string Email,
        int TokenEpoch,
        bool IsDisabled,
        Guid? MemberId,
        Guid? ProjectId,
        string? Project,
        bool? IsArchived,
        string? Role,
        string? Access
    )
    {
        public KnownMembership ToMembership() =>
            new(
                MemberId!.Value,
                ProjectId!.Value,
                Project!,
                IsArchived!.Value,
                Role!,
                Infrastructure.Auth.Access.Read(Access!)
            );
    }

    private static class Sql
    {
        // engine-wide: what a user may do in each of his projects
        public const string Find = """
            SELECT u.email, u.token_epoch, u.disabled_at IS NOT NULL AS is_disabled, m.id AS member_id, m.project_id,
                p.name AS project, p.archived_at IS NOT NULL AS is_archived, m.role, m.access::text AS access
            FROM users AS u
            LEFT JOIN memberships AS m ON m.user_id = u.id AND m.disabled_at IS NULL
            LEFT JOIN projects AS p ON p.id = m.project_id
            WHERE u.id = @Id
            ORDER BY p.name
            """;
    }
}
