using System.Net.Sockets;
using Npgsql;

namespace Bellhop.Infrastructure.Database;

/// <summary>The one list of database errors that are nobody's fault. Everything else is a bug and looks like one.</summary>
public static class ExpectedErrors
{
    /// <summary>The database is away, restarting, full or out of connections: the same request may succeed later.</summary>
    public static bool IsOutage(Exception exception) =>
        exception switch
        {
            PostgresException postgres => IsOutage(postgres.SqlState),
            NpgsqlException { InnerException: PostgresException postgres } => IsOutage(postgres.SqlState),
            // broken or refused connections and exhausted pools; a protocol fault has none of these inside
            NpgsqlException npgsql => npgsql.IsTransient
                || npgsql.InnerException is IOException or SocketException or TimeoutException or null,
            AggregateException aggregate => aggregate.InnerExceptions.All(IsOutage),
            _ => false,
        };

    /// <summary>Two statements were in each other's way; the loser may simply be run again.</summary>
    public static bool IsContention(Exception exception) =>
        exception
            is PostgresException
            {
                SqlState: PostgresErrorCodes.DeadlockDetected
                    or PostgresErrorCodes.SerializationFailure
                    or PostgresErrorCodes.LockNotAvailable
            };

    private static bool IsOutage(string state) =>
        state.StartsWith("08", StringComparison.Ordinal) // connection
        || state.StartsWith("53", StringComparison.Ordinal) // disk, memory, connections
        || state
            is PostgresErrorCodes.AdminShutdown
                or PostgresErrorCodes.CrashShutdown
                or PostgresErrorCodes.CannotConnectNow
                or PostgresErrorCodes.DatabaseDropped
                or PostgresErrorCodes.IdleSessionTimeout
                or PostgresErrorCodes.ReadOnlySqlTransaction // a primary that has become a standby
                or PostgresErrorCodes.QueryCanceled // statement_timeout: the caller's token never reaches here
                or PostgresErrorCodes.LockNotAvailable
                or PostgresErrorCodes.DeadlockDetected
                or PostgresErrorCodes.SerializationFailure;
}
