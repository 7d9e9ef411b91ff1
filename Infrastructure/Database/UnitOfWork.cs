using Npgsql;

namespace Bellhop.Infrastructure.Database;

/// <summary>Where a request's statements run: alone, in a transaction of their own, or in the one its whole request shares.</summary>
/// <remarks>
/// One per request, job or command. A request with an <c>Idempotency-Key</c> shares: whatever the handler does commits together
/// with the row of the key, or not at all. A handler does not notice: it opens or begins <see cref="Work"/>, and commits it.
/// </remarks>
public sealed class UnitOfWork(NpgsqlDataSource database)
{
    private Work? _shared;

    /// <summary>Whether the whole request is one transaction.</summary>
    public bool IsShared => _shared is not null;

    /// <summary>For a single statement, which is a transaction by itself where none is shared.</summary>
    public async ValueTask<Work> OpenAsync(CancellationToken cancellationToken) =>
        _shared is null
            ? new Work(await database.OpenConnectionAsync(cancellationToken), null, null)
            : new Work(_shared.Connection, null, _shared);

    /// <summary>For several statements that count together or not at all.</summary>
    public async ValueTask<Work> BeginAsync(CancellationToken cancellationToken)
    {
        if (_shared is not null)
        {
            return new Work(_shared.Connection, null, _shared);
        }

        var connection = await database.OpenConnectionAsync(cancellationToken);
        try
        {
            return new Work(connection, await connection.BeginTransactionAsync(cancellationToken), null);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Does what is to be answered in time: where the database does not, it is an outage, and not done any more.</summary>
    /// <remarks>A request that shares its transaction waits, since others use its connection.</remarks>
    public Task<T> TryAsync<T>(Func<CancellationToken, Task<T>> ask, CancellationToken cancellationToken) =>
        IsShared ? ask(cancellationToken) : Outages.TryPatientlyAsync(ask, cancellationToken);

    /// <summary>Begins a transaction that every work of this request is part of until it is disposed of.</summary>
    internal async ValueTask<Work> ShareAsync(CancellationToken cancellationToken) =>
        _shared = _shared is null
            ? await BeginAsync(cancellationToken)
            : throw new InvalidOperationException("The request shares a transaction already.");
}

/// <summary>A connection and what is to happen once its statements are committed.</summary>
/// <remarks>Disposed of without a commit it is as if nothing had been done; within a shared transaction the request decides.</remarks>
public sealed class Work : IAsyncDisposable
{
    private readonly NpgsqlTransaction? _transaction;
    private readonly Work? _within;
    private readonly List<Action> _afterCommit = [];

    internal Work(NpgsqlConnection connection, NpgsqlTransaction? transaction, Work? within) =>
        (Connection, _transaction, _within) = (connection, transaction, within);

    public NpgsqlConnection Connection { get; }

    /// <summary>What others may be told only when it is true: signals, caches to forget. Not run where nothing is committed.</summary>
    public void AfterCommit(Action action) => _afterCommit.Add(action);

    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        if (_within is not null)
        {
            _within._afterCommit.AddRange(_afterCommit);
            return;
        }

        if (_transaction is not null)
        {
            await _transaction.CommitAsync(cancellationToken);
        }

        foreach (var action in _afterCommit)
        {
            action();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_within is not null)
        {
            return;
        }

        if (_transaction is not null)
        {
            await _transaction.DisposeAsync();
        }

        await Connection.DisposeAsync();
    }
}
