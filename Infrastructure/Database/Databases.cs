using Npgsql;

namespace Bellhop.Infrastructure.Database;

/// <summary>The pools of one process. All run as <c>bellhop_app</c>, which may not change tables.</summary>
/// <remarks>
/// Heartbeats have a connection of their own, so that a drained main pool cannot let leases expire. Behind a pooler that shares
/// sessions, log in as bellhop_app and set search_path on that role.
/// </remarks>
public sealed class Databases : IAsyncDisposable
{
    private const string Options = "-c search_path=bellhop -c role=bellhop_app";

    private Databases(string connectionString)
    {
        Main = Build(connectionString, 20, "bellhop");
        Heartbeat = Build(connectionString, 2, "bellhop heartbeat");
        Listen = Build(connectionString, 1, "bellhop listen");
    }

    /// <summary>For requests, jobs and duties: 20 connections.</summary>
    public NpgsqlDataSource Main { get; }

    /// <summary>For lease extensions only.</summary>
    public NpgsqlDataSource Heartbeat { get; }

    /// <summary>For LISTEN only; closed and reopened by its one user.</summary>
    public NpgsqlDataSource Listen { get; }

    public static Databases Open(string connectionString) => new(connectionString);

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
        await Heartbeat.DisposeAsync();
        await Main.DisposeAsync();
    }

    private static NpgsqlDataSource Build(string connectionString, int size, string name)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        var given = new NpgsqlConnectionStringBuilder(connectionString);
        settings.Options = given.Options is { Length: > 0 } options ? $"{options} {Options}" : Options;
        settings.ApplicationName ??= name;
        if (!given.ContainsKey("Maximum Pool Size"))
        {
            settings.MaxPoolSize = size;
        }

        if (!given.ContainsKey("Max Auto Prepare"))
        {
            settings.MaxAutoPrepare = 100;
            settings.AutoPrepareMinUsages = 2;
        }

        if (!given.ContainsKey("Timeout"))
        {
            settings.Timeout = 5;
        }

        if (!given.ContainsKey("Command Timeout"))
        {
            settings.CommandTimeout = 10;
        }

        settings.KeepAlive = settings.KeepAlive == 0 ? 10 : settings.KeepAlive;
        var builder = new NpgsqlDataSourceBuilder(settings.ConnectionString);
        return builder.Build();
    }
}
