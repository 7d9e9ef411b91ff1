using Dapper;
using DbUp;
using DbUp.Engine;
using Npgsql;

namespace Bellhop.Infrastructure.Database;

/// <summary>Brings the schema to what this binary expects. Forward only, a transaction a script.</summary>
/// <remarks>
/// Replicas that start together migrate one after the other: DbUp takes no lock of its own. A process that is killed in the middle
/// leaves whole scripts only, and the next start goes on. A schema newer than this binary knows is refused.
/// </remarks>
public static class Migrations
{
    private const long LockKey = 0x42656c6c686f70;

    /// <summary>The scripts of this binary, in order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. typeof(Migrations)
            .Assembly.GetManifestResourceNames()
            .Where(name => name.EndsWith(".sql", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Applies what is missing. Afterwards <paramref name="settle"/> runs under the same lock.</summary>
    /// <returns>The scripts that ran.</returns>
    public static async Task<IReadOnlyList<string>> ApplyAsync(
        string ownerConnectionString,
        Func<NpgsqlConnection, Task> settle,
        CancellationToken cancellationToken
    )
    {
        await using var database = NpgsqlDataSource.Create(ownerConnectionString);
        await using var guard = await database.OpenConnectionAsync(cancellationToken);
        // waits as long as another instance migrates: a big table may take a while
        await guard.ExecuteAsync(
            new CommandDefinition(
                Sql.TakeLock,
                new { Key = LockKey },
                commandTimeout: 0,
                cancellationToken: cancellationToken
            )
        );
        var applied = await PrepareAsync(guard, cancellationToken);
        if (applied.Count == Names.Count)
        {
            await settle(guard); // the usual start: nothing is missing
            return [];
        }

        var result = Upgrade(ownerConnectionString);
        if (!result.Successful)
        {
            throw new MigrationException(
                $"Migration {result.ErrorScript?.Name} failed: {result.Error.Message}",
                result.Error
            );
        }

        await settle(guard);
        return [.. result.Scripts.Select(script => script.Name)];
    }

    private static async Task<IReadOnlyCollection<string>> PrepareAsync(
        NpgsqlConnection connection,
        CancellationToken cancellationToken
    )
    {
        await connection.ExecuteAsync(Sql.MakeSchema.With(null, cancellationToken));
        try
        {
            await connection.ExecuteAsync(Sql.MakeRole.With(null, cancellationToken));
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            var owner = new NpgsqlConnectionStringBuilder(connection.ConnectionString).Username;
            throw new MigrationException(
                $"{owner} may not make the role that the service runs as, or is not a member of it. As a superuser, once: "
                    + $"CREATE ROLE bellhop_app NOLOGIN; GRANT bellhop_app TO \"{owner}\";",
                exception
            );
        }

        if (!await connection.QuerySingleAsync<bool>(Sql.HasJournal.With(null, cancellationToken)))
        {
            return [];
        }

        var applied = (await connection.QueryAsync<string>(Sql.Applied.With(null, cancellationToken))).AsList();
        var unknown = applied.Except(Names, StringComparer.Ordinal).ToArray();
        if (unknown.Length > 0)
        {
            throw new MigrationException(
                $"The schema is newer than this binary: it holds {string.Join(", ", unknown)}. Start the newer version, or restore a backup."
            );
        }

        return applied;
    }

    private static DatabaseUpgradeResult Upgrade(string connectionString) =>
        DeployChanges
            .To.PostgresqlDatabase(connectionString)
            .JournalToPostgresqlTable("bellhop", "schema_versions")
            .WithScriptsEmbeddedInAssembly(
                typeof(Migrations).Assembly,
                name => name.EndsWith(".sql", StringComparison.Ordinal)
            )
            .WithTransactionPerScript()
            .WithVariablesDisabled()
            .WithExecutionTimeout(TimeSpan.FromHours(1))
            .LogToNowhere()
            .Build()
            .PerformUpgrade();

    private static class Sql
    {
        public const string TakeLock = "SELECT pg_advisory_lock(@Key)";

        public const string MakeSchema = "CREATE SCHEMA IF NOT EXISTS bellhop";

        // Roles belong to the cluster: two databases that migrate at once may both find it missing.
        public const string MakeRole = """
            DO $$
            BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bellhop_app') THEN
                    CREATE ROLE bellhop_app NOLOGIN;
                END IF;
                IF NOT pg_has_role(current_user, 'bellhop_app', 'MEMBER') THEN
                    EXECUTE format('GRANT bellhop_app TO %I', current_user);
                END IF;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END
            $$
            """;

        public const string HasJournal = "SELECT to_regclass('bellhop.schema_versions') IS NOT NULL";

        public const string Applied = "SELECT scriptname FROM bellhop.schema_versions";
    }
}

/// <summary>The schema could not be brought up to date; the message says what to do.</summary>
public sealed class MigrationException : Exception
{
    public MigrationException(string message, Exception? inner = null)
        : base(message, inner) { }
}
