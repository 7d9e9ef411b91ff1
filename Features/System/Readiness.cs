using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.System;

/// <summary>What can be asked about a process.</summary>
public enum Probe
{
    /// <summary>It runs. The database is never asked: an outage is no reason to restart.</summary>
    Live,

    /// <summary>Requests are welcome.</summary>
    Ready,

    /// <summary>The start is over.</summary>
    Startup,
}

/// <summary>Whether this process should be sent requests: started, not draining, its database writable and of its version.</summary>
public sealed class Readiness(
    NpgsqlDataSource database,
    Drain drain,
    IHostApplicationLifetime lifetime,
    TimeProvider clock
)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(1);

    // replaced by whichever probe finds it stale; probes that come together share one question
    private volatile Answer? _answer;

    public bool IsStarted => lifetime.ApplicationStarted.IsCancellationRequested;

    /// <summary>Null when ready, else what is missing. The database is asked once a second at most, for 1 s at most.</summary>
    public async Task<string?> ReasonAsync()
    {
        if (!IsStarted)
        {
            return "The service is starting.";
        }

        if (drain.IsDraining)
        {
            return "The service is stopping.";
        }

        var answer = _answer;
        if (answer is null || clock.GetElapsedTime(answer.At) > Freshness)
        {
            _answer = answer = new Answer(clock.GetTimestamp(), AskAsync());
        }

        return await answer.Reason;
    }

    private async Task<string?> AskAsync()
    {
        using var deadline = new CancellationTokenSource(Patience, clock);
        try
        {
            await using var connection = await database.OpenConnectionAsync(deadline.Token);
            var state = await connection.QuerySingleAsync<State>(
                Sql.State.With(new { Names = Migrations.Names.ToArray() }, deadline.Token)
            );
            return !state.Writable ? "The database is read-only."
                : state.Unknown > 0 ? "The schema is newer than this process."
                : state.Known < Migrations.Names.Count ? "The schema is older than this process."
                : null;
        }
        catch (OperationCanceledException)
        {
            return "The database did not answer within 1 s.";
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            return "The database cannot be reached.";
        }
    }

    private sealed record Answer(long At, Task<string?> Reason);

    private sealed record State(bool Writable, long Known, long Unknown);

    private static class Sql
    {
        public const string State = """
            SELECT
                current_setting('transaction_read_only') = 'off' AS writable,
                count(*) FILTER (WHERE scriptname = ANY (@Names::text[])) AS known,
                count(*) FILTER (WHERE scriptname <> ALL (@Names::text[])) AS unknown
            FROM schema_versions
            """;
    }
}
