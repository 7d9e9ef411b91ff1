using System.Diagnostics;

namespace Bellhop.Infrastructure.Database;

/// <summary>PostgreSQL's own programs: where they are, as whom they run, and whether one is at work.</summary>
/// <remarks>
/// PostgreSQL refuses to run as root. For root they run as the owner of the data; where there is no data yet, as
/// <c>postgres</c> or <c>nobody</c>, or, where such a user could not enter the directory (a checkout below the home of
/// root), in a user namespace in which root's files belong to it.
/// </remarks>
internal sealed class ServerPrograms
{
    private readonly string[] _prefix;
    private readonly string? _owner;
    private readonly string? _libraries;

    private ServerPrograms(string directory, string[] prefix, string? owner)
    {
        (Location, _prefix, _owner) = (directory, prefix, owner);
        _libraries = directory.StartsWith("/usr/", StringComparison.Ordinal) ? null : LibrariesOf(directory);
    }

    /// <summary>Exit code, and what was written to both outputs.</summary>
    public readonly record struct Result(int Code, string Output);

    /// <summary>The directory that holds <c>initdb</c>, <c>pg_ctl</c> and <c>postgres</c>.</summary>
    public string Location { get; }

    /// <summary>What <c>./dev setup</c> fetched, else what is on the path, else the newest that the system has.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static string Find(string stateDirectory)
    {
        var found = new[] { Path.Combine(stateDirectory, "pgsql", "bin") }
            .Concat(Versions(Path.Combine(stateDirectory, "pgsql", "usr", "lib", "postgresql")))
            .Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Where(Path.IsPathRooted))
            .Concat(Versions("/usr/lib/postgresql"))
            .Select(directory => Path.Combine(directory, "postgres"))
            .FirstOrDefault(File.Exists);
        // its libraries are beside the program, not beside a link to it
        return found is not null
            ? Path.GetDirectoryName(RealPath(found))!
            : throw new InvalidOperationException(
                "No PostgreSQL was found. Set ConnectionStrings__Bellhop to use a server you have, "
                    + "or run ./dev setup to fetch one for this directory."
            );
    }

    /// <summary>Decides as whom the programs run for a cluster.</summary>
    /// <param name="directory">Where the programs are.</param>
    /// <param name="home">The cluster's directory; must exist.</param>
    /// <param name="data">Its data, which need not exist yet.</param>
    /// <exception cref="InvalidOperationException">Root has nobody to run them as.</exception>
    public static ServerPrograms For(string directory, string home, string data)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return new ServerPrograms(directory, [], owner: null);
        }
        var owner = Directory.Exists(data) ? OwnerOf(data) : null;
        if (owner is not null and not "0:0")
        {
            return new ServerPrograms(directory, BecomeOwner(owner), owner);
        }
        var (user, group) = UnprivilegedUser();
        string[] become = BecomeOwner($"{user}:{group}");
        if (owner is null && CanEnter(become, Path.GetDirectoryName(home)!))
        {
            return new ServerPrograms(directory, become, $"{user}:{group}");
        }
        string[] mapped = ["unshare", "--user", $"--map-user={user}", $"--map-group={group}", "--"];
        return CanEnter(mapped, home)
            ? new ServerPrograms(directory, mapped, owner: null)
            : throw new InvalidOperationException(
                $"PostgreSQL does not run as root, and no other user can enter {home}. "
                    + "Set Bellhop__StateDirectory to a directory such as /var/lib/bellhop."
            );
    }

    /// <summary>Runs one of the programs to its end.</summary>
    public Result Run(string program, params string[] arguments) =>
        Execute([.. _prefix, Path.Combine(Location, program), .. arguments], _libraries);

    /// <summary>Starts the server, which goes on when this process ends.</summary>
    /// <remarks>The process is the server itself, since each program on the way replaces itself by the next.</remarks>
    public Process Serve(string data, string log, IReadOnlyList<string> options)
    {
        const string Begin = "exec \"$@\" </dev/null >>\"$0\" 2>&1"; // opened as the user that the server runs as
        string[] command =
        [
            .. _prefix,
            "sh",
            "-c",
            Begin,
            log,
            Path.Combine(Location, "postgres"),
            "-D",
            data,
            .. options,
        ];
        return Process.Start(StartOf(command, _libraries))!;
    }

    /// <summary>Whether the server can load a library of that name; Debian and others differ in where they are.</summary>
    public bool HasLibrary(string name)
    {
        string[] places = ["lib", "lib/postgresql"];
        return places.Any(place => File.Exists(Path.Combine(Location, "..", place, name + ".so")));
    }

    /// <summary>Gives a file or directory that this process made to the user that the programs run as.</summary>
    public void Own(string path)
    {
        if (_owner is not null)
        {
            Execute(["chown", _owner, path]);
        }
    }

    /// <summary>Whether any server process, even an orphan of a killed postmaster, is at work on the data.</summary>
    /// <remarks>It has the data directory as its current directory, which no other program's process has.</remarks>
    public static bool AreAtWorkIn(string data)
    {
        var postmaster = FirstLine(Path.Combine(data, "postmaster.pid"));
        return Directory
            .EnumerateDirectories("/proc")
            .Where(process => char.IsAsciiDigit(Path.GetFileName(process)[0]))
            .Any(process =>
                new FileInfo(Path.Combine(process, "cwd")).LinkTarget is { } directory
                    ? directory == data
                    // root in a container may not see the directory of another user's process, only its name
                    : Path.GetFileName(process) == postmaster && FirstLine(Path.Combine(process, "comm")) == "postgres"
            );
    }

    /// <summary>Has the file system of a path write everything to the disk.</summary>
    public static Result Sync(string path) => Execute(["sync", "-f", path]);

    /// <summary>The path without symbolic links, as the kernel reports it.</summary>
    public static string RealPath(string path)
    {
        var real = "/";
        foreach (var part in Path.GetFullPath(path).Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            real = Path.Combine(real, part);
            var target = File.ResolveLinkTarget(real, returnFinalTarget: true);
            real = target is null ? real : RealPath(target.FullName);
        }

        return real;
    }

    private static string OwnerOf(string path)
    {
        var stat = Execute(["stat", "-c", "%u:%g", path]);
        return stat.Code == 0
            ? stat.Output
            : throw new InvalidOperationException($"Who owns {path} could not be found out: {stat.Output}");
    }

    private static string[] BecomeOwner(string owner)
    {
        var ids = owner.Split(':');
        return ["setpriv", $"--reuid={ids[0]}", $"--regid={ids[1]}", "--clear-groups", "--"];
    }

    private static (string User, string Group) UnprivilegedUser()
    {
        var user = File.ReadLines("/etc/passwd")
            .Select(line => line.Split(':'))
            .Where(fields => fields[0] is "postgres" or "nobody")
            .MaxBy(fields => fields[0], StringComparer.Ordinal);
        return user is null ? ("65534", "65534") : (user[2], user[3]);
    }

    private static string? FirstLine(string path)
    {
        try
        {
            return File.ReadLines(path).FirstOrDefault();
        }
        catch (IOException)
        {
            return null; // not there, or ended meanwhile
        }
    }

    private static bool CanEnter(string[] prefix, string directory) =>
        Execute([.. prefix, "test", "-x", directory]).Code == 0;

    /// <summary>A fetched tree brings the libraries that the system may lack.</summary>
    private static string LibrariesOf(string directory)
    {
        var at = directory.IndexOf("/usr/lib/postgresql", StringComparison.Ordinal);
        var tree = at > 0 ? directory[..at] : Path.Combine(directory, "..");
        string[] parts = [Path.Combine(tree, "usr", "lib"), Path.Combine(tree, "lib")];
        var own = parts
            .Where(Directory.Exists)
            .SelectMany(part => Directory.GetDirectories(part, "*-linux-gnu").Append(part));
        return string.Join(':', own);
    }

    private static IEnumerable<string> Versions(string directory) =>
        Directory.Exists(directory)
            ? Directory
                .GetDirectories(directory)
                .OrderByDescending(path => int.TryParse(Path.GetFileName(path), out var version) ? version : 0)
                .Select(path => Path.Combine(path, "bin"))
            : [];

    private static Result Execute(string[] command, string? libraries = null)
    {
        using var process = Process.Start(StartOf(command, libraries))!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Result(process.ExitCode, (output + errors.GetAwaiter().GetResult()).Trim());
    }

    private static ProcessStartInfo StartOf(string[] command, string? libraries)
    {
        // in a session of their own: Ctrl-C in a terminal is for this process, which ends them in their order
        var start = new ProcessStartInfo("setsid", command)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/", // the user it runs as need not be able to enter ours
        };
        start.Environment["LC_ALL"] = "C.UTF-8";
        foreach (
            var name in start.Environment.Keys.Where(name => name.StartsWith("PG", StringComparison.Ordinal)).ToList()
        )
        {
            start.Environment.Remove(name); // libpq's defaults, which would lead pg_ctl to another server
        }
        if (libraries is not null)
        {
            start.Environment["LD_LIBRARY_PATH"] = libraries;
        }
        return start;
    }
}
