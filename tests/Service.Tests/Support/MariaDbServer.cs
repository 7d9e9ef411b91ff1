using System.Diagnostics;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>A MariaDB on 127.0.0.1 with data of its own: database <c>shop</c>, users <c>reader</c> and <c>writer</c>.</summary>
internal sealed class MariaDbServer : IAsyncDisposable
{
    public const string Password = "canary-mysql-9d3";

    // mysql_… or mariadb_…, in a directory of either name
    private static readonly string[] SystemTables = ["*_system_tables.sql", "*_system_tables_data.sql"];

    private const string Setup = $"""
        CREATE DATABASE shop;
        CREATE USER reader IDENTIFIED BY '{Password}';
        GRANT SELECT ON shop.* TO reader;
        CREATE USER writer IDENTIFIED BY '{Password}';
        GRANT ALL ON shop.* TO writer;
        """;

    private readonly ChildServer _server;
    private readonly string _home;

    private MariaDbServer(ChildServer server, string home, int port) => (_server, _home, Port) = (server, home, port);

    public int Port { get; }

    public static async Task<MariaDbServer> StartAsync((string Certificate, string Key) files)
    {
        ChildServer.Require("mariadb/ready");
        var tree = Path.Combine(Checkout.State, "tools", "mariadb");
        var home = Directory.CreateTempSubdirectory("bellhop-mariadb-").FullName;
        var setup = Path.Combine(home, "setup.sql");
        await File.WriteAllTextAsync(setup, Setup);
        var environment = new Dictionary<string, string>
        {
            ["LD_LIBRARY_PATH"] = string.Join(
                ':',
                Directory
                    .GetDirectories(tree, "*-linux-gnu", SearchOption.AllDirectories)
                    .Where(directory => Path.GetFileName(Path.GetDirectoryName(directory)) == "lib")
            ),
        };
        var share = Path.GetDirectoryName(
            Directory.GetFiles(tree, SystemTables[0], SearchOption.AllDirectories).Single()
        )!;
        string[] command =
        [
            Path.Combine(tree, "usr", "sbin", "mariadbd"),
            "--no-defaults",
            // it will not run as root unless it is told to; another user might not enter the checkout
            .. Environment.IsPrivilegedProcess ? ["--user=root"] : Array.Empty<string>(),
            $"--datadir={Path.Combine(home, "data")}",
            $"--lc-messages-dir={share}",
            "--innodb-buffer-pool-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
        ];
        Directory.CreateDirectory(Path.Combine(home, "data"));
        await BootstrapAsync(environment, [.. command, "--bootstrap"], share);
        var port = ServiceProcess.FreePort();
        var server = ChildServer.Start(
            environment,
            [
                .. command,
                $"--init-file={setup}",
                $"--socket={Path.Combine(home, "socket")}",
                "--bind-address=127.0.0.1",
                $"--port={port}",
                $"--ssl-cert={files.Certificate}",
                $"--ssl-key={files.Key}",
            ]
        );
        await Eventually.FitAsync(
            () => Task.FromResult(string.Join('\n', server.Said)),
            said => said.Contains("ready for connections", StringComparison.Ordinal)
        );
        return new MariaDbServer(server, home, port);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }

    private static async Task BootstrapAsync(Dictionary<string, string> environment, string[] command, string share)
    {
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var said = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteLineAsync("CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;");
        foreach (var file in SystemTables)
        {
            var path = Directory.GetFiles(share, file).Single();
            await process.StandardInput.WriteLineAsync(await File.ReadAllTextAsync(path));
        }

        process.StandardInput.Close();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await said);
    }
}
