using System.Collections.Frozen;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>The families of tokens that ended while access tokens of theirs may still hold, as they were at most four seconds ago.</summary>
/// <remarks>Read whole, so that what a request costs does not depend on how many are signed in.</remarks>
internal sealed class EndedFamilies(NpgsqlDataSource database, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(4);

    // one reads, the others wait for what it finds
    private readonly SemaphoreSlim _reading = new(1);

    // written by whoever holds the semaphore or forgets, read by all
    private volatile Snapshot? _snapshot;

    // raised by whoever forgets: what was read meanwhile may be from before
    private long _forgotten;

    public async ValueTask<bool> HoldAsync(Guid familyId, CancellationToken cancellationToken) =>
        (Fresh() ?? await ReadAsync(cancellationToken)).Ids.Contains(familyId);

    /// <summary>Has the next look go to the database.</summary>
    public void Forget() => Interlocked.Increment(ref _forgotten);

    public void Dispose() => _reading.Dispose();

    private Snapshot? Fresh() =>
        _snapshot is { } snapshot
        && snapshot.Forgotten == Volatile.Read(ref _forgotten)
        && clock.GetElapsedTime(snapshot.Since) < Freshness
            ? snapshot
            : null;

    private async Task<Snapshot> ReadAsync(CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken);
        try
        {
            if (Fresh() is { } fresh)
            {
                return fresh;
            }

            var (since, forgotten) = (clock.GetTimestamp(), Volatile.Read(ref _forgotten));
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var arguments = new { EndedSince = clock.GetUtcNow().UtcDateTime - TokenLife.PreviousKey };
            var ids = await connection.QueryAsync<Guid>(Sql.Ended.With(arguments, cancellationToken));
            return _snapshot = new Snapshot(since, forgotten, ids.ToFrozenSet());
        }
        finally
        {
            _reading.Release();
        }
    }

    private sealed record Snapshot(long Since, long Forgotten, FrozenSet<Guid> Ids);

    private static class Sql
    {
        public const string Ended = "SELECT id FROM token_families WHERE ended_at > @EndedSince";
    }
}
