using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Bellhop.Infrastructure.Database;
using Npgsql;

namespace Bellhop.Bench;

/// <summary>A ReadyToRun build of the service as a process of its own, on a durable PostgreSQL of its own.</summary>
public sealed class BenchHost : IAsyncDisposable
{
    private readonly EmbeddedCluster _cluster;
    private readonly Process _service;

    private BenchHost(EmbeddedCluster cluster, Process service, string directory, int port)
    {
        (_cluster, _service, Directory, Port) = (cluster, service, directory, port);
        Database = NpgsqlDataSource.Create(cluster.ConnectionString + ";Search Path=bellhop;Maximum Pool Size=20");
        Key = File.ReadAllText(Path.Combine(directory, "first-key")).Trim();
    }

    public NpgsqlDataSource Database { get; }

    public string ConnectionString => _cluster.ConnectionString;

    public string Directory { get; }

    public int Port { get; }

    public string Key { get; }

    public Process Service => _service;

    /// <param name="roles">What the process does; all of it where nothing is said.</param>
    public static async Task<BenchHost> StartAsync(string roles = "api,worker,scheduler")
    {
        var root = FindRoot();
        var state = Environment.GetEnvironmentVariable("BELLHOP_STATE") ?? Path.Combine(root, ".state");
        var directory = Path.Combine(state, "bench");
        if (System.IO.Directory.Exists(directory))
        {
            System.IO.Directory.Delete(directory, recursive: true);
        }

        System.IO.Directory.CreateDirectory(directory);
        if (System.IO.Directory.Exists(Path.Combine(state, "pgsql")))
        {
            File.CreateSymbolicLink(Path.Combine(directory, "pgsql"), Path.Combine(state, "pgsql"));
        }

        var binary = Path.Combine(directory, "service");
        Run(
            "dotnet",
            $"publish {root}/Service.csproj -c Release -r linux-x64 --no-self-contained -v quiet -o {binary}",
            root
        );
        var cluster = EmbeddedCluster.Start(directory);
        var port = FreePort();
        var start = new ProcessStartInfo("dotnet", $"{binary}/bellhop.dll serve")
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
        };
        start.Environment["Bellhop__StateDirectory"] = directory;
        start.Environment["Bellhop__Listen"] = $"127.0.0.1:{port}";
        start.Environment["Bellhop__InternalListen"] = $"127.0.0.1:{FreePort()}";
        start.Environment["Bellhop__Roles"] = roles;
        foreach (var scope in (string[])["Key", "Address", "Project"])
        {
            start.Environment[$"Bellhop__RateLimits__{scope}__Reads"] = "1000000/1"; // counted, and never reached
        }

        start.Environment["Bellhop__RateLimits__Address__Auth"] = "1000000/1"; // all tries come from one address
        start.Environment["Bellhop__Outgoing__AllowNetworks__0"] = "127.0.0.0/8";
        start.Environment["ConnectionStrings__Bellhop"] = cluster.ConnectionString;
        var service = Process.Start(start)!;
        service.OutputDataReceived += (_, _) => { };
        service.BeginOutputReadLine();
        await ReadyAsync(port, service);
        return new BenchHost(cluster, service, directory, port);
    }

    /// <summary>What it ran on, for the head of a result.</summary>
    public string Machine()
    {
        var cpu = File.ReadLines("/proc/cpuinfo")
            .First(line => line.StartsWith("model name", StringComparison.Ordinal))
            .Split(':')[1]
            .Trim();
        var memory = File.ReadLines("/proc/meminfo").First().Split(':')[1].Trim();
        return $"""
            # {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC

            {Environment.ProcessorCount} cores ({cpu}), {memory}, {Output(
                "uname",
                "-sr"
            )}, .NET {Environment.Version}, {Postgres()}.
            Service, PostgreSQL and load generator on the same machine; fsync on; ReadyToRun build. {Output(
                "uptime",
                ""
            )}
            """;
    }

    public string Postgres()
    {
        using var connection = Database.OpenConnection();
        return $"PostgreSQL {connection.PostgreSqlVersion}";
    }

    /// <summary>The project every key of a first start belongs to.</summary>
    public Guid DefaultProject()
    {
        using var command = Database.CreateCommand("SELECT id FROM projects WHERE name = 'default'");
        return (Guid)command.ExecuteScalar()!;
    }

    /// <summary>Waits until it is ready: after a start, or after its connections were taken from it.</summary>
    public Task ReadyAsync() => ReadyAsync(Port, _service);

    public async Task<long> CountAsync(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        return Convert.ToInt64(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
    }

    public async Task<IReadOnlyList<Guid>> ColumnAsync(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var ids = new List<Guid>();
        while (await reader.ReadAsync())
        {
            ids.Add(reader.GetGuid(0));
        }

        return ids;
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Runs pgbench with one statement for some seconds.</summary>
    /// <returns>Transactions a second.</returns>
    public double Pgbench(string sql, int clients, int seconds) =>
        PgbenchScript(sql.ReplaceLineEndings(" ") + ";\n", "bellhop", clients, $"-T {seconds}");

    /// <summary>Runs pgbench with a script of its own, on a database of this cluster.</summary>
    /// <param name="limit">How long, or how often, and what the script's variables are.</param>
    /// <returns>Transactions a second.</returns>
    public double PgbenchScript(string text, string database, int clients, string limit)
    {
        var script = Path.Combine(Directory, "pgbench.sql");
        File.WriteAllText(script, text);
        var socket = new NpgsqlConnectionStringBuilder(ConnectionString).Host;
        var output = Output(
            Path.Combine(PostgresPrograms(), "pgbench"),
            $"-h {socket} -U bellhop -n -M prepared -c {clients} -j 2 {limit} -f {script} {database}",
            (
                "PGOPTIONS",
                "-c search_path=bellhop -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off"
            )
        );
        var line =
            output.Split('\n').LastOrDefault(text => text.StartsWith("tps = ", StringComparison.Ordinal))
            ?? throw new InvalidOperationException($"pgbench said no figure: {output}");
        return double.Parse(line.Split(' ')[2], CultureInfo.InvariantCulture);
    }

    /// <summary>Runs a command of the service, as its user would, on a database of this cluster.</summary>
    /// <returns>What it printed.</returns>
    public string Bellhop(string arguments, string connectionString)
    {
        var start = new ProcessStartInfo("dotnet", $"{Path.Combine(Directory, "service")}/bellhop.dll {arguments}")
        {
            WorkingDirectory = Directory,
            RedirectStandardOutput = true,
        };
        start.Environment["Bellhop__StateDirectory"] = Directory;
        start.Environment["ConnectionStrings__Bellhop"] = connectionString;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output.Trim()
            : throw new InvalidOperationException($"bellhop {arguments} ended with {process.ExitCode}: {output}");
    }

    /// <summary>A database with the service's tables, and nobody at work in it.</summary>
    /// <returns>How to connect to it.</returns>
    public async Task<string> MakeDatabaseAsync(string name)
    {
        await ExecuteAsync($"CREATE DATABASE {name}");
        var connectionString = new NpgsqlConnectionStringBuilder(ConnectionString) { Database = name }.ConnectionString;
        Bellhop("migrate", connectionString);
        return connectionString;
    }

    /// <summary>Seconds of CPU that PostgreSQL has used.</summary>
    public double PostgresCpu()
    {
        using var directory = Database.CreateCommand("SHOW data_directory");
        var file = Path.Combine((string)directory.ExecuteScalar()!, "postmaster.pid");
        var server = int.Parse(File.ReadLines(file).First(), CultureInfo.InvariantCulture);
        return Cpu(server, withEnded: true)
            + File.ReadAllText($"/proc/{server}/task/{server}/children")
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Sum(child => Cpu(int.Parse(child, CultureInfo.InvariantCulture), withEnded: false));
    }

    /// <summary>Seconds of CPU that the programs this process started, and that ended, have used.</summary>
    public static double ProgramsCpu() =>
        Cpu(Environment.ProcessId, withEnded: true) - Cpu(Environment.ProcessId, false);

    private static double Cpu(int process, bool withEnded)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{process}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' '); // from the third on
            return fields
                    .Skip(11)
                    .Take(withEnded ? 4 : 2)
                    .Sum(field => double.Parse(field, CultureInfo.InvariantCulture)) / 100;
        }
        catch (IOException)
        {
            return 0; // it has ended, and is counted with its parent
        }
    }

    public async ValueTask DisposeAsync()
    {
        _service.Kill();
        await _service.WaitForExitAsync();
        _service.Dispose();
        await Database.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        _cluster.Dispose();
    }

    private string PostgresPrograms()
    {
        var owned = Path.Combine(Directory, "pgsql/usr/lib/postgresql");
        var tree = System.IO.Directory.Exists(owned) ? owned : "/usr/lib/postgresql";
        return Path.Combine(System.IO.Directory.GetDirectories(tree).Order().Last(), "bin");
    }

    private static async Task ReadyAsync(int port, Process service)
    {
        using var client = new HttpClient();
        for (var tries = 0; tries < 600 && !service.HasExited; tries++)
        {
            try
            {
                using var answer = await client.GetAsync($"http://127.0.0.1:{port}/health/ready");
                if (answer.StatusCode == HttpStatusCode.OK)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // not yet
            }

            await Task.Delay(100);
        }

        throw new InvalidOperationException("The service did not become ready.");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static void Run(string program, string arguments, string directory)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { WorkingDirectory = directory, RedirectStandardOutput = true }
        )!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {arguments} ended with {process.ExitCode}");
        }
    }

    private static string Output(string program, string arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        return process.StandardOutput.ReadToEnd().Trim();
    }

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Service.slnx")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException("Run it in a checkout.");
        }

        return directory.FullName;
    }
}
