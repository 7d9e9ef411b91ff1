using System.Diagnostics;
using System.Globalization;
using System.Net;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Database;

public sealed class EmbeddedClusterTests(EmbeddedClusterTests.StoppedCluster stopped)
    : IClassFixture<EmbeddedClusterTests.StoppedCluster>,
        IDisposable
{
    private readonly string _state = NewStateDirectory();

    public void Dispose() => Directory.Delete(_state, recursive: true);

    [Fact]
    public void A_second_process_joins_and_the_last_to_leave_stops_the_server()
    {
        stopped.CopyTo(_state);
        var first = EmbeddedCluster.Start(_state);
        var second = EmbeddedCluster.Start(_state);

        Assert.Equal(PostmasterOf(first), PostmasterOf(second));
        first.Dispose();
        Assert.Equal(1, Ask(second, "SELECT 1"));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite,
            File.GetUnixFileMode(Path.Combine(_state, "db", "url"))
        );

        second.Dispose();
        Assert.False(File.Exists(LockFile));
        Assert.Contains("database system is shut down", ServerLog(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_cold_starts_at_once_share_one_server()
    {
        var both = await Task.WhenAll(
            Task.Run(() => EmbeddedCluster.Start(_state), TestContext.Current.CancellationToken),
            Task.Run(() => EmbeddedCluster.Start(_state), TestContext.Current.CancellationToken)
        );

        Assert.Equal(PostmasterOf(both[0]), PostmasterOf(both[1]));
        Assert.All(both, cluster => Assert.Equal(1, Ask(cluster, "SELECT 1")));
        Array.ForEach(both, cluster => cluster.Dispose());
    }

    [Fact]
    public void A_killed_server_is_started_again_with_everything_that_was_committed()
    {
        stopped.CopyTo(_state);
        using var killed = EmbeddedCluster.Start(_state);
        Do(killed, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)");
        using (var postmaster = Process.GetProcessById(PostmasterOf(killed)))
        {
            postmaster.Kill(); // SIGKILL: its lock file stays
            postmaster.WaitForExit();
        }
        Assert.True(File.Exists(LockFile));

        using var next = EmbeddedCluster.Start(_state);

        Assert.Equal(42, Ask(next, "SELECT n FROM kept"));
    }

    [Fact]
    public void A_lock_file_that_names_somebody_elses_process_is_stale()
    {
        stopped.CopyTo(_state);
        File.WriteAllText(LockFile, $"{Environment.ProcessId}\n{Path.Combine(_state, "db", "data")}\n1\n5432\n\n\n");

        using var cluster = EmbeddedCluster.Start(_state);

        Assert.Equal(1, Ask(cluster, "SELECT 1"));
    }

    [Fact]
    public void A_throw_away_keeps_commits_through_a_crash_of_the_server_and_is_deleted_in_the_end()
    {
        var cluster = EmbeddedCluster.Start(_state, throwAway: true);
        Do(cluster, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)");

        cluster.Restart("immediate");
        Assert.Equal(42, Ask(cluster, "SELECT n FROM kept"));
        cluster.StopServer("immediate");
        cluster.StartServer();
        Assert.Equal(42, Ask(cluster, "SELECT n FROM kept"));

        cluster.Dispose();
        Assert.False(Directory.Exists(cluster.Home));
    }

    [Fact]
    public void A_directory_too_deep_for_a_socket_works_and_so_does_one_with_a_quote_and_a_space()
    {
        var quoted = Path.Combine(_state, "it's a \\state");
        var deep = Path.Combine(quoted, new string('d', 90));
        Directory.CreateDirectory(deep);
        LinkPrograms(quoted);
        LinkPrograms(deep);

        using var near = EmbeddedCluster.Start(quoted);
        using var far = EmbeddedCluster.Start(deep);

        Assert.Equal(1, Ask(near, "SELECT 1"));
        Assert.Equal(1, Ask(far, "SELECT 1"));
        // libpq reads ' and \ in a value only behind another \
        Assert.Contains(
            "it\\'s a \\\\state",
            File.ReadAllText(Path.Combine(near.Home, "url")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Data_of_another_major_version_is_refused_with_what_to_do()
    {
        stopped.CopyTo(_state);
        File.WriteAllText(Path.Combine(_state, "db", "data", "PG_VERSION"), "9\n");

        var refused = Assert.Throws<InvalidOperationException>(() => EmbeddedCluster.Start(_state));

        Assert.Contains("was made by PostgreSQL 9", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Install that version", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("postgresql.conf", "nonsense\n", "syntax error")]
    [InlineData("PG_VERSION", "nonsense\n", "PG_VERSION")]
    public void A_server_that_does_not_start_says_why_and_nothing_of_earlier_starts(
        string file,
        string text,
        string why
    )
    {
        stopped.CopyTo(_state);
        File.WriteAllText(Path.Combine(_state, "db", "data", file), text);

        var refused = Assert.Throws<InvalidOperationException>(() => EmbeddedCluster.Start(_state));

        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("checkpoint", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_lets_nobody_in_is_78()
    {
        stopped.CopyTo(_state);
        File.AppendAllText(
            Path.Combine(_state, "db", "data", "postgresql.conf"),
            "session_preload_libraries = 'no such library'\n"
        );
        var settings = new Settings
        {
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            InternalListen = new IPEndPoint(IPAddress.Loopback, 0),
            StateDirectory = _state,
            Roles = [],
            TrustedProxies = [],
            AllowedHosts = [],
            KeyRing = Path.Combine(_state, "keyring"),
            OutgoingAllowNetworks = [],
            ShutdownGraceSeconds = 0,
            DrainDelaySeconds = 0,
            ConnectionString = "",
        };

        var refused = await Assert.ThrowsAsync<StartException>(() =>
            Storage.OpenAsync(
                settings,
                Program.Composition.Settle,
                TimeSpan.Zero,
                _ => { },
                TestContext.Current.CancellationToken
            )
        );

        Assert.Equal(ExitCodes.Configuration, refused.ExitCode);
        Assert.Contains("postgres.log", refused.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(LockFile));
    }

    /// <summary>A cluster that was started and stopped once: a copy of it spares a test the making of its own.</summary>
    public sealed class StoppedCluster : IDisposable
    {
        private readonly string _state = NewStateDirectory();

        public StoppedCluster() => EmbeddedCluster.Start(_state).Dispose();

        public void CopyTo(string state) =>
            Process.Start("cp", ["-a", Path.Combine(_state, "db"), state]).WaitForExit();

        public void Dispose() => Directory.Delete(_state, recursive: true);
    }

    private string LockFile => Path.Combine(_state, "db", "data", "postmaster.pid");

    private string ServerLog() => File.ReadAllText(Path.Combine(_state, "db", "postgres.log"));

    private static string NewStateDirectory()
    {
        var state = Directory.CreateTempSubdirectory("bellhop-s").FullName;
        LinkPrograms(state);
        // root's clusters run as another user, who must be able to enter
        File.SetUnixFileMode(state, File.GetUnixFileMode(state) | UnixFileMode.OtherExecute);
        return state;
    }

    private static void LinkPrograms(string state)
    {
        var programs = Path.Combine(Checkout.State, "pgsql");
        if (Directory.Exists(programs))
        {
            File.CreateSymbolicLink(Path.Combine(state, "pgsql"), programs);
        }
    }

    private static int PostmasterOf(EmbeddedCluster cluster) =>
        int.Parse(
            File.ReadLines(Path.Combine(cluster.Home, "data", "postmaster.pid")).First(),
            CultureInfo.InvariantCulture
        );

    private static int Ask(EmbeddedCluster cluster, string sql)
    {
        using var connection = new NpgsqlConnection(cluster.ConnectionString + ";Pooling=false");
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        return (int)command.ExecuteScalar()!;
    }

    private static void Do(EmbeddedCluster cluster, string sql)
    {
        using var connection = new NpgsqlConnection(cluster.ConnectionString + ";Pooling=false");
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        command.ExecuteNonQuery();
    }
}
