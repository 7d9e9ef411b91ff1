using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Makes projects with what each one has from the start: its queues and the version of its rules.</summary>
public static class Projects
{
    /// <summary>Of the first project, and the one that the command line means where it is not told another.</summary>
    public const string Default = "default";

    /// <summary>Whoever could take the name when it is free would have what operators do by habit done to his project.</summary>
    internal static Problem IsReserved { get; } =
        Problems.NameTaken.Because(
            $"{Default} is what the command line calls the project that it is told no name of: only there it is given."
        );

    /// <summary>Makes the project; null when the name is taken. To be called inside a transaction.</summary>
    /// <param name="now">When: its id tells it as well.</param>
    public static async Task<Guid?> CreateAsync(
        NpgsqlConnection connection,
        string name,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        await LockNamesAsync(connection, cancellationToken);
        var arguments = new
        {
            Id = Guid.CreateVersion7(now),
            Name = name,
            Now = now.UtcDateTime,
        };
        return await connection.QuerySingleOrDefaultAsync<Guid?>(Sql.Create.With(arguments, cancellationToken));
    }

    /// <summary>Makes the first project, where there is none at all: one that was given another name stays the only one.</summary>
    public static async Task EnsureAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (!await connection.QuerySingleAsync<bool>(Sql.HasAny.With(null, cancellationToken)))
        {
            await CreateAsync(connection, Default, TimeProvider.System.GetUtcNow(), cancellationToken);
        }
    }

    /// <summary>Until the transaction ends nobody else gives a project a name.</summary>
    internal static Task LockNamesAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(Sql.LockNames.With(null, cancellationToken));

    /// <summary>The id of the project with that name or id; null when there is none.</summary>
    /// <param name="nameOrId">Null: the one that is named default, else the only one.</param>
    public static async Task<Guid?> FindAsync(
        NpgsqlDataSource database,
        string? nameOrId,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return nameOrId is null
            ? await connection.QuerySingleOrDefaultAsync<Guid?>(Sql.FindOnly.With(new { Default }, cancellationToken))
            : await connection.QuerySingleOrDefaultAsync<Guid?>(
                Sql.Find.With(new { NameOrId = nameOrId }, cancellationToken)
            );
    }

    private static class Sql
    {
        public const string Find =
            "SELECT id FROM projects WHERE name = @NameOrId OR id::text = lower(@NameOrId) LIMIT 1";

        public const string FindOnly = """
            SELECT id FROM projects WHERE name = @Default OR (SELECT count(*) FROM projects) = 1
            """;

        public const string HasAny = "SELECT EXISTS (SELECT FROM projects)";

        public const string LockNames = "SELECT pg_advisory_xact_lock(hashtextextended('bellhop project names', 0))";

        // webhooks' own retries are those of its deliveries; automations' carriers are retried quickly
        public const string Create = """
            WITH made AS (
                INSERT INTO projects (id, name, created_at, updated_at)
                VALUES (@Id, @Name, @Now, @Now)
                ON CONFLICT (name) DO NOTHING
                RETURNING id
            ),
            versioned AS (
                INSERT INTO rules_versions (project_id) SELECT id FROM made
            ),
            queued AS (
                INSERT INTO queues (project_id, name, retry, max_attempts)
                SELECT made.id, queue.name, queue.retry::json, 20
                FROM made
                CROSS JOIN (VALUES
                    ('default', '{"max_attempts":20,"strategy":"exponential","initial_seconds":1,"max_seconds":3600,"jitter":0.2}'),
                    ('automations', '{"max_attempts":20,"strategy":"exponential","initial_seconds":1,"max_seconds":60,"jitter":0.2}'),
                    ('webhooks', '{"max_attempts":20,"strategy":"exponential","initial_seconds":1,"max_seconds":60,"jitter":0.2}')
                ) AS queue(name, retry)
            )
            SELECT id FROM made
            """;
    }
}
