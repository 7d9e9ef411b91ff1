using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Infrastructure.Database;

/// <summary>What a process keeps its data in: the database, brought up to date, and the key ring that opens its secrets.</summary>
/// <remarks>
/// Opened in one order by every process, be it the service or a single command: the private cluster is started or joined
/// where no server is configured, the schema is migrated, partitions and the first project are made, and the key ring is
/// compared with the one that sealed what is stored. Processes that open one database at once do this one after the other.
/// </remarks>
public sealed class Storage : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly EmbeddedCluster? _cluster;

    private Storage(EmbeddedCluster? cluster, KeyRing keyRing, IReadOnlyList<string> applied, Databases databases) =>
        (_cluster, KeyRing, Applied, Databases) = (cluster, keyRing, applied, databases);

    public Databases Databases { get; }

    /// <summary>The private cluster; null where a server was configured.</summary>
    public EmbeddedCluster? Cluster => _cluster;

    public KeyRing KeyRing { get; }

    /// <summary>The migrations that this opening ran; empty where the schema was up to date.</summary>
    public IReadOnlyList<string> Applied { get; }

    /// <summary>Opens the storage that the settings name.</summary>
    /// <param name="settle">What every database holds from the start; runs as owner, under the migration lock.</param>
    /// <param name="patience">How long to wait for a server that is away, trying each 5 s.</param>
    /// <exception cref="StartException">It cannot be opened; the message says what to do.</exception>
    public static async Task<Storage> OpenAsync(
        Settings settings,
        Func<NpgsqlConnection, CancellationToken, Task> settle,
        TimeSpan patience,
        Action<string> say,
        CancellationToken cancellationToken
    )
    {
        EmbeddedCluster? cluster = null;
        try
        {
            cluster = settings.IsEmbedded ? StartCluster(settings) : null;
            var connectionString = cluster?.ConnectionString ?? settings.ConnectionString;
            return await WaitAsync(
                () => OpenAsync(settings, cluster, connectionString, settle, cancellationToken),
                patience,
                say,
                cancellationToken
            );
        }
        catch
        {
            cluster?.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Databases.DisposeAsync();
        _cluster?.Dispose();
    }

    private static EmbeddedCluster StartCluster(Settings settings)
    {
        try
        {
            return EmbeddedCluster.Start(settings.StateDirectory);
        }
        catch (Exception exception)
            when (exception is InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            throw new StartException(ExitCodes.Configuration, exception.Message, exception);
        }
        catch (NpgsqlException exception)
        {
            throw new StartException(
                ExitCodes.Configuration,
                $"The private database runs but lets nobody in: {Innermost(exception)}. Its log is {Path.Combine(settings.StateDirectory, "db", "postgres.log")}.",
                exception
            );
        }
    }

    private static async Task<Storage> WaitAsync(
        Func<Task<Storage>> open,
        TimeSpan patience,
        Action<string> say,
        CancellationToken cancellationToken
    )
    {
        // the wait for a server is measured in pauses: no clock has to agree with anything
        for (var left = patience; ; left -= Pause)
        {
            try
            {
                return await open();
            }
            catch (Exception exception) when (left > TimeSpan.Zero && IsAway(exception))
            {
                say(
                    $"The database cannot be reached ({Innermost(exception)}); trying for {left.TotalSeconds:0} s more."
                );
                await Task.Delay(Pause, cancellationToken);
            }
            catch (Exception exception) when (IsAway(exception))
            {
                throw new StartException(
                    ExitCodes.TryAgain,
                    $"The database cannot be reached: {Innermost(exception)}. ConnectionStrings:Bellhop says where it is.",
                    exception
                );
            }
            catch (PostgresException exception) when (IsRefused(exception))
            {
                throw new StartException(
                    ExitCodes.Configuration,
                    $"The database refuses the login: {exception.MessageText}. ConnectionStrings:Bellhop says who logs in where.",
                    exception
                );
            }
        }
    }

    private static async Task<Storage> OpenAsync(
        Settings settings,
        EmbeddedCluster? cluster,
        string connectionString,
        Func<NpgsqlConnection, CancellationToken, Task> settle,
        CancellationToken cancellationToken
    )
    {
        KeyRing? keyRing = null;
        var applied = await Migrations.ApplyAsync(
            Databases.ForOwner(settings.MigrationsConnectionString ?? connectionString),
            async connection =>
            {
                await connection.ExecuteAsync(Sql.MakePartitions.With(null, cancellationToken));
                await settle(connection, cancellationToken);
                keyRing = await OpenKeyRingAsync(settings, connection, cancellationToken);
            },
            cancellationToken
        );
        var databases = Databases.Open(connectionString);
        try
        {
            await RequireRunningRoleAsync(databases.Main, cancellationToken);
            return new Storage(cluster, keyRing!, applied, databases);
        }
        catch
        {
            await databases.DisposeAsync();
            throw;
        }
    }

    /// <summary>Refuses a ring that could not open what this database holds, before anything is sealed with it.</summary>
    private static async Task<KeyRing> OpenKeyRingAsync(
        Settings settings,
        NpgsqlConnection connection,
        CancellationToken cancellationToken
    )
    {
        var known = (await connection.QueryAsync<KnownKey>(Sql.KnownKeys.With(null, cancellationToken))).AsList();
        // a new ring is made for a new database only: for any other it would be a wrong one
        var keyRing = known.Count == 0 ? KeyRing.LoadOrCreate(settings.KeyRing) : KeyRing.Load(settings.KeyRing);
        foreach (var key in known)
        {
            var fault = keyRing.Find(key.Kid) switch
            {
                null when key.IsRetired => null, // no row needed it any more
                null => "lacks the key",
                var found when !found.CheckValue.AsSpan().SequenceEqual(key.CheckValue) => "holds another key as",
                _ => null,
            };
            if (fault is not null)
            {
                throw new StartException(
                    ExitCodes.Configuration,
                    $"The key ring {settings.KeyRing} {fault} {key.Kid}, which secrets in this database are sealed with. "
                        + "Use the key ring of the other instances, or of the backup (Bellhop:KeyRing)."
                );
            }
        }

        var added = keyRing.Keys.Where(key => known.TrueForAll(other => other.Kid != key.Id)).ToArray();
        await connection.ExecuteAsync(
            Sql.AddKeys.With(
                new
                {
                    Kids = added.Select(key => key.Id).ToArray(),
                    CheckValues = added.Select(key => key.CheckValue).ToArray(),
                },
                cancellationToken
            )
        );
        await connection.ExecuteAsync(Sql.UseKey.With(new { Kid = keyRing.Active.Id }, cancellationToken));
        return keyRing;
    }

    /// <summary>A pooled connection must come back as the running role: some server versions lose it on reset.</summary>
    private static async Task RequireRunningRoleAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        for (var use = 0; use < 2; use++)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var role = await connection.QuerySingleAsync<string>(Sql.CurrentRole.With(null, cancellationToken));
            if (role != "bellhop_app")
            {
                throw new StartException(
                    ExitCodes.Configuration,
                    $"Connections run as {role}, not as bellhop_app. Log in as bellhop_app, or update the server."
                );
            }
        }
    }

    private static bool IsAway(Exception exception) =>
        ExpectedErrors.IsOutage(exception)
        || (exception is MigrationException { InnerException: { } inner } && ExpectedErrors.IsOutage(inner));

    private static bool IsRefused(PostgresException exception) =>
        exception.SqlState
            is PostgresErrorCodes.InvalidPassword
                or PostgresErrorCodes.InvalidAuthorizationSpecification
                or PostgresErrorCodes.InvalidCatalogName;

    private static string Innermost(Exception exception) => exception.GetBaseException().Message.TrimEnd('.');

    private sealed record KnownKey(string Kid, byte[] CheckValue, bool IsRetired);

    private static class Sql
    {
        public const string MakePartitions = "SELECT make_partitions(((now() AT TIME ZONE 'UTC')::date + 7))";

        public const string KnownKeys = """
            SELECT kid, check_value AS checkvalue, retired_at IS NOT NULL AS isretired FROM key_ring_ids ORDER BY kid
            """;

        public const string AddKeys = """
            INSERT INTO key_ring_ids (kid, check_value)
            SELECT added.kid, added.check_value
            FROM unnest(@Kids::text[], @CheckValues::bytea[]) AS added(kid, check_value)
            ON CONFLICT (kid) DO NOTHING
            """;

        // a ring that was turned back: rows need the key again
        public const string UseKey =
            "UPDATE key_ring_ids SET retired_at = NULL WHERE kid = @Kid AND retired_at IS NOT NULL";

        public const string CurrentRole = "SELECT current_user::text";
    }
}
