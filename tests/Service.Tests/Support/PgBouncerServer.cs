using System.Globalization;
using Dapper;
using Npgsql;

namespace Bellhop.Tests.Support;

/// <summary>A PgBouncer in front of one database, which lends its few sessions out for a transaction at a time.</summary>
internal sealed class PgBouncerServer : IAsyncDisposable
{
    private readonly ChildServer _server;
    private readonly string _home;

    private PgBouncerServer(ChildServer server, string home, string connectionString) =>
        (_server, _home, ConnectionString) = (server, home, connectionString);

    /// <summary>By which a service runs behind it.</summary>
    public string ConnectionString { get; }

    /// <param name="owner">Logs in to the database as one who may make roles.</param>
    /// <param name="sessions">How many it has.</param>
    public static async Task<PgBouncerServer> StartAsync(string owner, int sessions)
    {
        ChildServer.Require("pgbouncer/ready");
        var tree = Path.Combine(Checkout.State, "tools", "pgbouncer");
        var program = Path.Combine(tree, "usr", "sbin", "pgbouncer");
        var to = new NpgsqlConnectionStringBuilder(owner);
        await using (var database = NpgsqlDataSource.Create(owner))
        await using (var connection = await database.OpenConnectionAsync())
        {
            await connection.ExecuteAsync(
                $"""
                ALTER ROLE bellhop_app LOGIN;
                ALTER ROLE bellhop_app IN DATABASE {to.Database} SET search_path = bellhop;
                """
            );
        }

        var home = Directory.CreateTempSubdirectory("bellhop-pgbouncer-").FullName;
        var port = ServiceProcess.FreePort();
        var settings = Path.Combine(home, "pgbouncer.ini");
        await File.WriteAllTextAsync(
            settings,
            $"""
            [databases]
            pooled = host={to.Host} dbname={to.Database} user=bellhop_app
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port.ToString(CultureInfo.InvariantCulture)}
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = {sessions.ToString(CultureInfo.InvariantCulture)}
            max_client_conn = 500
            ignore_startup_parameters = options
            """
        );
        // it will not run as root; PostgreSQL does neither, and its user alone may enter the directory of the socket
        string[] command = Environment.IsPrivilegedProcess
            ? [program, "-u", OwnerOf(to.Host!), settings]
            : [program, settings];
        if (Environment.IsPrivilegedProcess)
        {
            const UnixFileMode All = UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
            File.SetUnixFileMode(home, File.GetUnixFileMode(home) | All);
            File.SetUnixFileMode(settings, File.GetUnixFileMode(settings) | All);
        }

        var environment = new Dictionary<string, string>
        {
            ["LD_LIBRARY_PATH"] = string.Join(
                ':',
                Directory
                    .GetDirectories(tree, "*-linux-gnu", SearchOption.AllDirectories)
                    .Where(directory => Path.GetFileName(Path.GetDirectoryName(directory)) == "lib")
            ),
        };
        var server = ChildServer.Start(environment, command);
        await Eventually.FitAsync(
            () => Task.FromResult(string.Join('\n', server.Said)),
            said => said.Contains("process up", StringComparison.Ordinal)
        );
        return new PgBouncerServer(
            server,
            home,
            new NpgsqlConnectionStringBuilder
            {
                Host = "127.0.0.1",
                Port = port,
                Database = "pooled",
                Username = "bellhop_app",
            }.ConnectionString + ";Max Auto Prepare=0"
        );
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }

    private static string OwnerOf(string directory)
    {
        using var stat = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("stat", ["-c", "%U", directory]) { RedirectStandardOutput = true }
        )!;
        return stat.StandardOutput.ReadToEnd().Trim();
    }
}
