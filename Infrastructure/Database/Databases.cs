using Dapper;
using Npgsql;

namespace Bellhop.Infrastructure.Database;

/// <summary>The pools of one process. All run as <c>bellhop_app</c>, which may not change tables.</summary>
/// <remarks>
/// The job engine has connections of its own, so that a drained main pool can neither stop jobs nor let leases expire. Behind a pooler that shares
/// sessions, log in as bellhop_app and set search_path on that role.
/// </remarks>
public sealed class Databases : IAsyncDisposable
{
    // Plans are made once a connection: planning a statement that touches eighty partitions costs more than running it. Filters
    // that may be absent are therefore statements of their own, never "@Filter IS NULL OR …".
    private const string Options = "-c search_path=bellhop -c role=bellhop_app -c plan_cache_mode=force_generic_plan";

    // The plans of the engine are made once and kept, and the table of jobs is empty now and huge a minute later: what reads little
    // of the one, a scan of the table or of all of a queue to sort it, is ruin for the other.
    private const string NoScans = "-c enable_seqscan=off -c enable_bitmapscan=off";

    // The server ends what takes too long. One that is silent even after that is given up, which blocks a thread for as long as it
    // stays silent (Npgsql asks it to cancel, and waits): the many statements of requests, whose callers wait no longer than
    // Outages.Patience, are therefore given up late.
    private const string StatementTimeout = " -c statement_timeout=10s";

    private Databases(string connectionString)
    {
        Main = Build(connectionString, 20, "bellhop", silenceSeconds: 30);
        Engine = Build(connectionString, 6, "bellhop engine", NoScans);
        Workers = Build(connectionString, 8, "bellhop workers", NoScans);
        Listen = Build(connectionString, 1, "bellhop listen");
    }

    /// <summary>For requests, jobs and duties: 20 connections.</summary>
    public NpgsqlDataSource Main { get; }

    /// <summary>For claims, ends, lease extensions and jobs that begin as they are enqueued: 6 connections.</summary>
    public NpgsqlDataSource Engine { get; }

    /// <summary>For what remote workers ask and say: 8 connections, of which claims take no more than half.</summary>
    public NpgsqlDataSource Workers { get; }

    /// <summary>For LISTEN only; closed and reopened by its one user.</summary>
    public NpgsqlDataSource Listen { get; }

    public static Databases Open(string connectionString)
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true; // received_at is ReceivedAt, in every row that is read
        return new Databases(connectionString);
    }

    /// <summary>The connection string migrations use: as given, with our search path.</summary>
    public static string ForOwner(string connectionString) =>
        new NpgsqlConnectionStringBuilder(connectionString)
        {
            Options = "-c search_path=bellhop",
            Pooling = false,
            ApplicationName = "bellhop migrations",
        }.ConnectionString;

    public async ValueTask DisposeAsync()
    {
        await Listen.DisposeAsync();
        await Workers.DisposeAsync();
        await Engine.DisposeAsync();
        await Main.DisposeAsync();
    }

    private static NpgsqlDataSource Build(
        string connectionString,
        int size,
        string name,
        string more = "",
        int silenceSeconds = 12
    )
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        var given = new NpgsqlConnectionStringBuilder(connectionString); // asked what it was given: ContainsKey knows every key
        settings.Options = $"{given.Options} {Options} {more}".Trim();
        settings.ApplicationName ??= name;
        if (!given.ShouldSerialize("Maximum Pool Size"))
        {
            settings.MaxPoolSize = size;
        }

        if (!given.ShouldSerialize("Max Auto Prepare"))
        {
            settings.MaxAutoPrepare = 100;
            settings.AutoPrepareMinUsages = 2;
        }

        if (!given.ShouldSerialize("Timeout"))
        {
            settings.Timeout = 5;
        }

        if (!given.ShouldSerialize("Command Timeout"))
        {
            settings.Options += StatementTimeout;
            settings.CommandTimeout = silenceSeconds;
        }

        // no statement leaves session state behind (SET, LISTEN, session locks) that a reset at each use would have to clear
        settings.NoResetOnClose = true;
        settings.KeepAlive = settings.KeepAlive == 0 ? 10 : settings.KeepAlive;
        var builder = new NpgsqlDataSourceBuilder(settings.ConnectionString) { Name = name }; // its name in metrics
        return builder.Build();
    }
}
