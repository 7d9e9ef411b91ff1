using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace Bellhop.Infrastructure.Database;

/// <summary>A private PostgreSQL, for when no connection string is given: a first look, development, tests.</summary>
/// <remarks>
/// It is reached over a Unix socket in a directory that only its owner may enter: no port to clash, no password to keep.
/// Several processes may share one: each holds a shared lock, and the last to leave stops it. A process that is killed
/// leaves it running, and the next one takes it over. What was committed survives every such end. PostgreSQL refuses to
/// run as root, so for root it runs as the owner of the data, at first <c>postgres</c> or <c>nobody</c>.
/// </remarks>
public sealed class EmbeddedCluster : IDisposable
{
    private const string SuperUser = "bellhop";
    private const int OldestVersion = 15;
    private const string ThrowAwayPrefix = "bellhop-test-";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly bool _throwAway;
    private readonly string _data;
    private readonly string _socket;
    private readonly string _log;
    private readonly ServerPrograms _programs;
    private FileStream? _use;
    private long _saidBefore; // how long the log was when the server was started

    private EmbeddedCluster(string home, string binaries, bool throwAway)
    {
        _throwAway = throwAway;
        // a server process is recognised by its current directory, which the kernel reports without symbolic links
        Home = ServerPrograms.RealPath(MakeDirectory(home));
        _data = Path.Combine(Home, "data");
        _socket = ShortEnough(Path.Combine(Home, "s"));
        _log = Path.Combine(Home, "postgres.log");
        _programs = ServerPrograms.For(binaries, Home, _data);
    }

    /// <summary>The directory that holds everything of the cluster: <c>data</c>, <c>postgres.log</c>, <c>url</c>.</summary>
    public string Home { get; }

    /// <summary>Logs in as the superuser <c>bellhop</c> to the database <c>bellhop</c>.</summary>
    public string ConnectionString => ConnectionTo("bellhop");

    /// <summary>Starts the cluster of a state directory, or joins it where it runs already.</summary>
    /// <param name="stateDirectory">
    /// Holds the cluster in <c>db</c> and, after <c>./dev setup</c>, PostgreSQL's programs in <c>pgsql</c>.
    /// </param>
    /// <param name="throwAway">
    /// A cluster of its own in the temp directory, deleted in the end. Commits survive every stop and restart of the
    /// server, but not of the machine.
    /// </param>
    /// <exception cref="InvalidOperationException">It cannot run here; the message says what to do.</exception>
    public static EmbeddedCluster Start(string stateDirectory, bool throwAway = false)
    {
        if (!OperatingSystem.IsLinux())
        {
            throw new InvalidOperationException(
                "The private database runs on Linux only. Set ConnectionStrings__Bellhop to use a server you have."
            );
        }
        var state = Path.GetFullPath(stateDirectory);
        var binaries = ServerPrograms.Find(state);
        var home = throwAway ? NewThrowAwayHome(binaries) : Path.Combine(state, "db");
        try
        {
            var cluster = new EmbeddedCluster(home, binaries, throwAway);
            cluster.Join();
            return cluster;
        }
        catch (UnauthorizedAccessException e)
        {
            throw new InvalidOperationException(
                $"{home} belongs to another user. Run as that user, or set Bellhop__StateDirectory to a directory of yours.",
                e
            );
        }
    }

    /// <summary>Stops the server and starts it again, as an operator or a crash would. For tests.</summary>
    /// <param name="mode"><c>fast</c> ends all sessions; <c>immediate</c> is a crash, with recovery at the start.</param>
    public void Restart(string mode) => Control("restart", "-m", mode, "-w", "-t", "60", "-l", _log);

    /// <summary>Stops the server and leaves everything else as it is, for <see cref="StartServer"/>. For tests.</summary>
    /// <param name="mode"><c>fast</c> ends all sessions; <c>immediate</c> is a crash.</param>
    public void StopServer(string mode) => Control("stop", "-m", mode, "-w", "-t", "30");

    /// <summary>Starts the server if it does not run; returns when it takes connections.</summary>
    public void StartServer()
    {
        using var starting = LockStarting();
        StartIfStopped();
    }

    private void StartIfStopped()
    {
        if (AwaitRunning())
        {
            return;
        }
        // A killed container restarts with the same low process ids, so the id in the lock file may be somebody else's.
        var lockFile = Path.Combine(_data, "postmaster.pid");
        if (File.Exists(lockFile) && !HasProcesses())
        {
            File.Delete(lockFile);
        }
        // itself, not by pg_ctl, which looks ten times a second and asks the server for its version first
        _saidBefore = File.Exists(_log) ? new FileInfo(_log).Length : 0;
        using var server = _programs.Serve(_data, _log, ServerOptions());
        for (var began = Stopwatch.GetTimestamp(); !SaysReady(server.Id); )
        {
            if (server.WaitForExit(TimeSpan.FromMilliseconds(5)) || Stopwatch.GetElapsedTime(began) > Patience)
            {
                RequireSameVersion();
                throw Failure(
                    server.HasExited
                        ? $"postgres ended with {server.ExitCode}: {server.StandardError.ReadToEnd().Trim()}"
                        : "postgres does not get ready"
                );
            }
        }
    }

    /// <summary>Whether the server ended although somebody uses it: it crashed, or was killed.</summary>
    public bool HasServerEnded =>
        !File.Exists(Path.Combine(_data, "postmaster.pid"))
        || (
            File.ReadLines(Path.Combine(_data, "postmaster.pid")).FirstOrDefault() is { } id
            && !Directory.Exists($"/proc/{id}")
        );

    /// <summary>Leaves the cluster. The last to leave stops it, and deletes it if it was a throw-away.</summary>
    public void Dispose()
    {
        if (_use is not null)
        {
            _use.Dispose();
            _use = null;
            Leave();
        }
    }

    private void Join()
    {
        using var starting = LockStarting();
        var ready = false;
        try
        {
            Initialize();
            if (!Directory.Exists(_socket))
            {
                _programs.Own(MakeDirectory(_socket));
            }
            StartIfStopped();
            CreateDatabase();
            WriteUrl();
            _use = OpenLock("use.lock", FileAccess.Read, FileShare.Read);
            ready = true;
        }
        finally
        {
            if (!ready)
            {
                StopIfLast();
            }
        }
    }

    private void Leave()
    {
        if (!Directory.Exists(Home))
        {
            return; // somebody deleted it under us
        }
        bool last;
        using (LockStarting())
        {
            last = StopIfLast();
        }
        if (last && _throwAway)
        {
            Directory.Delete(Home, recursive: true);
        }
    }

    private bool StopIfLast()
    {
        try
        {
            using var last = OpenLock("use.lock", FileAccess.ReadWrite, FileShare.None);
            var mode = _throwAway ? "immediate" : "fast";
            if (HasProcesses() && TryControl("stop", "-m", mode, "-w", "-t", "30").Code != 0)
            {
                return false;
            }
            if (Path.GetDirectoryName(_socket) != Home && Directory.Exists(_socket))
            {
                Directory.Delete(_socket, recursive: true); // a stand-in elsewhere, which nobody would know whose it was
            }
            return true;
        }
        catch (IOException)
        {
            return false; // another process uses it
        }
    }

    private void Initialize()
    {
        if (File.Exists(Path.Combine(_data, "PG_VERSION")))
        {
            return;
        }
        if (ProgramVersion() is var have and < OldestVersion)
        {
            throw new InvalidOperationException(
                $"{_programs.Location} holds PostgreSQL {have}; {OldestVersion} or newer is needed. Run ./dev setup to get one."
            );
        }
        // initdb into a side directory and rename: a start that was killed half-way leaves nothing that looks finished
        var fresh = _data + ".new";
        if (Directory.Exists(fresh))
        {
            Directory.Delete(fresh, recursive: true);
        }
        _programs.Own(Home);
        string[] access = ["--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-sync"];
        Demand(
            "initdb",
            _programs.Run("initdb", ["-D", fresh, "-U", SuperUser, "-E", "UTF8", "--locale=C.UTF-8", .. access])
        );
        // A sync of the file system costs a second less than initdb's own of each file. Once more after the rename: no
        // commit may be acknowledged in a directory that would bear its old name after a power failure.
        Sync();
        Directory.Move(fresh, _data);
        Sync();
    }

    /// <summary>Says so where a server did not start because another version made its data.</summary>
    private void RequireSameVersion()
    {
        var made = VersionOf(File.ReadAllText(Path.Combine(_data, "PG_VERSION")));
        if (ProgramVersion() is var have && made is > 0 && made != have)
        {
            throw new InvalidOperationException(
                $"The private database in {_data} was made by PostgreSQL {made}, but {_programs.Location} holds {have}. "
                    + "Install that version, or move the directory away and restore a dump."
            );
        }
    }

    private int ProgramVersion() => VersionOf(_programs.Run("postgres", "--version").Output.Split(' ')[2]);

    private void Sync()
    {
        if (!_throwAway)
        {
            Demand("sync", ServerPrograms.Sync(Home));
        }
    }

    private IReadOnlyList<string> ServerOptions()
    {
        List<string> settings =
        [
            "listen_addresses=",
            "unix_socket_permissions=0700",
            "max_connections=200",
            "shared_buffers=128MB",
            "max_wal_size=1GB",
            "jit=off",
        ];
        if (_programs.HasLibrary("pg_stat_statements"))
        {
            settings.Add("shared_preload_libraries=pg_stat_statements");
        }
        if (_throwAway)
        {
            // Without fsync a commit reaches the kernel, not the disk: it outlives the server, not the machine.
            settings.AddRange(["fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0"]);
        }
        return ["-k", _socket, .. settings.SelectMany(setting => (string[])["-c", setting])];
    }

    private void CreateDatabase()
    {
        using var connection = new NpgsqlConnection(ConnectionTo("postgres") + ";Pooling=false");
        connection.Open();
        using var find = new NpgsqlCommand("SELECT 1 FROM pg_database WHERE datname = 'bellhop'", connection);
        if (find.ExecuteScalar() is null)
        {
            using var create = new NpgsqlCommand("CREATE DATABASE bellhop", connection);
            create.ExecuteNonQuery();
        }
    }

    /// <summary>For <c>psql</c> and for programs beside the service.</summary>
    private void WriteUrl()
    {
        var path = Path.Combine(Home, "url");
        using (var file = File.Open(path, FileMode.Create, FileAccess.Write))
        {
            File.SetUnixFileMode(file.SafeFileHandle, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            var socket = _socket.Replace("\\", "\\\\").Replace("'", "\\'");
            file.Write(Encoding.UTF8.GetBytes($"host='{socket}' user={SuperUser} dbname=bellhop\n"));
        }
        _programs.Own(path);
    }

    /// <summary>Whether it runs; waits while it is still recovering, so that no second one is started.</summary>
    private bool AwaitRunning()
    {
        var began = Stopwatch.GetTimestamp();
        while (File.Exists(Path.Combine(_data, "postmaster.pid")) && HasProcesses())
        {
            try
            {
                using var probe = new NpgsqlConnection(ConnectionTo("postgres") + ";Pooling=false;Timeout=5");
                probe.Open();
                return true;
            }
            catch (NpgsqlException) when (Stopwatch.GetElapsedTime(began) < Patience)
            {
                Thread.Sleep(50);
            }
        }
        return false;
    }

    /// <summary>Whether the server of this process id takes connections, as it notes itself in its lock file.</summary>
    private bool SaysReady(int processId)
    {
        try
        {
            var lines = File.ReadAllLines(Path.Combine(_data, "postmaster.pid"));
            return lines.Length > 7
                && lines[0] == processId.ToString(CultureInfo.InvariantCulture)
                && lines[7].Trim() == "ready";
        }
        catch (FileNotFoundException)
        {
            return false;
        }
    }

    private bool HasProcesses() => ServerPrograms.AreAtWorkIn(_data);

    private string ConnectionTo(string database) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = _socket,
            Username = SuperUser,
            Database = database,
        }.ConnectionString;

    private void Control(params string[] arguments) => Demand($"pg_ctl {arguments[0]}", TryControl(arguments));

    private ServerPrograms.Result TryControl(params string[] arguments) =>
        _programs.Run("pg_ctl", ["-D", _data, .. arguments]);

    private void Demand(string what, ServerPrograms.Result result)
    {
        if (result.Code != 0)
        {
            throw Failure($"{what} failed with {result.Code}: {result.Output}");
        }
    }

    private InvalidOperationException Failure(string what) =>
        new($"{what}\n{string.Join('\n', LastWords())}".TrimEnd());

    /// <summary>What the server of this start has said, the last lines of it.</summary>
    private IEnumerable<string> LastWords()
    {
        if (!File.Exists(_log))
        {
            return [];
        }
        using var log = new StreamReader(_log);
        log.BaseStream.Position = Math.Min(_saidBefore, log.BaseStream.Length);
        return log.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(5);
    }

    /// <summary>Only one process at a time starts or stops the server.</summary>
    private FileStream LockStarting()
    {
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < Patience; Thread.Sleep(20))
        {
            try
            {
                return OpenLock("start.lock", FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                // held by another
            }
        }
        throw new InvalidOperationException(
            $"Another process has been starting or stopping the private database in {Home} for {Patience.TotalSeconds} s. "
                + $"See {_log}."
        );
    }

    /// <summary>An flock: exclusive where nothing is shared, else shared. The kernel lets go of a dead holder's.</summary>
    private FileStream OpenLock(string name, FileAccess access, FileShare share)
    {
        var path = Path.Combine(Home, name);
        var made = !File.Exists(path);
        var file = File.Open(path, FileMode.OpenOrCreate, access, share);
        if (made)
        {
            _programs.Own(path); // or the user could not enter again what root started once
        }
        return file;
    }

    /// <summary>The major version; 0 where the text is none.</summary>
    private static int VersionOf(string text) =>
        int.TryParse(text.Trim().Split('.')[0], CultureInfo.InvariantCulture, out var version) ? version : 0;

    private static string MakeDirectory(string path)
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path, OwnerOnly);
        }
        return path;
    }

    /// <summary>A Unix socket's path may not exceed 107 bytes, so a deep directory gets a short stand-in.</summary>
    private static string ShortEnough(string path)
    {
        if (Encoding.UTF8.GetByteCount(path + "/.s.PGSQL.5432") <= 107)
        {
            return path;
        }
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..12];
        return Path.Combine(Path.GetTempPath(), $"bellhop-{hash}");
    }

    /// <summary>Names the process it belongs to, so that what a killed run left behind can be told and removed.</summary>
    private static string NewThrowAwayHome(string binaries)
    {
        foreach (var left in Directory.EnumerateDirectories(Path.GetTempPath(), ThrowAwayPrefix + "*"))
        {
            try
            {
                if (!Directory.Exists($"/proc/{Path.GetFileName(left)[ThrowAwayPrefix.Length..].Split('-')[0]}"))
                {
                    new EmbeddedCluster(left, binaries, throwAway: true).Leave();
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // another user's, or another run removes it at this moment
            }
        }
        var random = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        return Path.Combine(Path.GetTempPath(), $"{ThrowAwayPrefix}{Environment.ProcessId}-{random}");
    }
}
