using System.Diagnostics;
using Bellhop.Infrastructure.Database;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>A PostgreSQL on 127.0.0.1 with TLS and passwords: database and user <c>shop</c>, and <c>reader</c>, who only reads.</summary>
internal sealed class TlsPostgreSql : IAsyncDisposable
{
    public const string Password = "canary-postgres-2b8";

    private static readonly string[] Setup =
    [
        "CREATE DATABASE shop",
        $"CREATE USER reader PASSWORD '{Password}'",
        "ALTER USER reader SET default_transaction_read_only = on",
    ];

    private readonly string _home;
    private readonly Process _server;

    private TlsPostgreSql(string home, Process server, int port) => (_home, _server, Port) = (home, server, port);

    public int Port { get; }

    public static async Task<TlsPostgreSql> StartAsync((string Certificate, string Key) files)
    {
        var home = Directory.CreateTempSubdirectory("bellhop-tls-").FullName;
        var data = Path.Combine(home, "data");
        var (password, certificate, key) = (
            Path.Combine(home, "password"),
            Path.Combine(home, "server.crt"),
            Path.Combine(home, "server.key")
        );
        await File.WriteAllTextAsync(password, Password);
        File.Copy(files.Certificate, certificate);
        File.Copy(files.Key, key);
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var programs = ServerPrograms.For(ServerPrograms.Find(Checkout.State), home, data);
        foreach (var path in (string[])[home, password, certificate, key])
        {
            programs.Own(path);
        }

        var made = programs.Run(
            "initdb",
            "--no-sync",
            $"--pgdata={data}",
            "--username=shop",
            "--auth=scram-sha-256",
            $"--pwfile={password}"
        );
        Assert.True(made.Code == 0, made.Output);
        var port = ServiceProcess.FreePort();
        string[] settings =
        [
            "listen_addresses=127.0.0.1",
            $"port={port}",
            "unix_socket_directories=",
            "ssl=on",
            $"ssl_cert_file={certificate}",
            $"ssl_key_file={key}",
            "fsync=off",
        ];
        var server = programs.Serve(
            data,
            Path.Combine(home, "log"),
            [.. settings.SelectMany(setting => (string[])["-c", setting])]
        );
        var ready = new TlsPostgreSql(home, server, port);
        await Eventually.BeTrueAsync(ready.IsReadyAsync, "PostgreSQL accepts connections");
        return ready;
    }

    public async ValueTask DisposeAsync()
    {
        using var kill = Process.Start("kill", ["-INT", $"{_server.Id}"]);
        await kill.WaitForExitAsync();
        await _server.WaitForExitAsync();
        _server.Dispose();
        Directory.Delete(_home, recursive: true);
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            await using var connection = new NpgsqlConnection(
                $"Host=127.0.0.1;Port={Port};Username=shop;Password={Password};Database=postgres;Pooling=false"
            );
            await connection.OpenAsync();
            foreach (var statement in Setup)
            {
                await using var command = new NpgsqlCommand(statement, connection);
                await command.ExecuteNonQueryAsync();
            }

            return true;
        }
        catch (NpgsqlException exception)
            when (exception is not PostgresException || exception.SqlState == PostgresErrorCodes.CannotConnectNow)
        {
            return false; // not yet
        }
    }
}
