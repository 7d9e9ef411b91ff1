using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Makes projects with what each one has from the start: its queues and the version of its rules.</summary>
public static class Projects
{
    public const string Default = "default";

    /// <summary>Makes the project; null when the name is taken. To be called inside a transaction.</summary>
    public static Task<Guid?> CreateAsync(
        NpgsqlConnection connection,
        Guid id,
        string name,
        CancellationToken cancellationToken
    ) => connection.QuerySingleOrDefaultAsync<Guid?>(Sql.Create.With(new { Id = id, Name = name }, cancellationToken));

    /// <summary>The id of the project with that name or id; null when there is none.</summary>
    public static async Task<Guid?> FindAsync(
        NpgsqlDataSource database,
        string nameOrId,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<Guid?>(
            Sql.Find.With(new { NameOrId = nameOrId }, cancellationToken)
        );
    }

    private static class Sql
    {
        public const string Find =
            "SELECT id FROM projects WHERE name = @NameOrId OR id::text = lower(@NameOrId) LIMIT 1";

        // webhooks' own retries are those of its deliveries; automations' carriers are retried quickly
        public const string Create = """
            WITH made AS (
                INSERT INTO projects (id, name) VALUES (@Id, @Name) ON CONFLICT (name) DO NOTHING RETURNING id
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
