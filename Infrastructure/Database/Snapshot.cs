using System.Data;
using Npgsql;

namespace Bellhop.Infrastructure.Database;

public static class Snapshot
{
    /// <summary>From here to its end, all statements of the connection read one and the same state of the database.</summary>
    /// <remarks>
    /// For an answer put together from several statements: without it a commit between two of them would show, say, a job that
    /// runs beside the attempt that ended. Only for reading: it is ended by disposing of it. Begins with the first statement,
    /// without a round trip of its own.
    /// </remarks>
    public static ValueTask<NpgsqlTransaction> BeginSnapshotAsync(
        this NpgsqlConnection connection,
        CancellationToken cancellationToken
    ) => connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
}
