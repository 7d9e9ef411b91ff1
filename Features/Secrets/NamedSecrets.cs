using System.Collections.Concurrent;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Secrets;

/// <summary>Opens a project's secrets by name; what was opened is believed for five seconds.</summary>
/// <remarks>
/// A value that was replaced through this process is seen at once. Each look at the database notes when the secret was last used,
/// at most once a minute. Names that lead nowhere are not remembered.
/// </remarks>
public sealed class NamedSecrets(NpgsqlDataSource database, SecretBox box, TimeProvider clock)
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan UseNotedFor = TimeSpan.FromMinutes(1);

    internal static readonly SealedColumn Sealed = new("secrets", "value", Sql.TakeSealed, Sql.PutSealed);

    // written by whoever found nothing young enough; a race costs one more look
    private readonly ConcurrentDictionary<(Guid ProjectId, string Name), (string Value, long ReadAt)> _found = new();

    /// <summary>The value; null where the project has no secret of that name.</summary>
    /// <exception cref="SealedValueException">It is there and does not open.</exception>
    public async ValueTask<string?> FindAsync(Guid projectId, string name, CancellationToken cancellationToken)
    {
        var key = (projectId, name);
        if (_found.TryGetValue(key, out var found) && clock.GetElapsedTime(found.ReadAt) < MaxAge)
        {
            return found.Value;
        }

        var readAt = clock.GetTimestamp();
        var value = await ReadAsync(projectId, name, cancellationToken);
        if (value is null)
        {
            _found.TryRemove(key, out _);
            return null;
        }

        _found[key] = (value, readAt);
        return value;
    }

    /// <summary>Whether there is one of that name; it then stays until the transaction ends, so that it may be referred to.</summary>
    internal static async Task<bool> HoldAsync(
        NpgsqlConnection connection,
        Guid projectId,
        string name,
        CancellationToken cancellationToken
    )
    {
        var arguments = new { ProjectId = projectId, Name = name };
        return await connection.QuerySingleOrDefaultAsync<string>(Sql.Hold.With(arguments, cancellationToken))
            is not null;
    }

    /// <summary>Has the next look go to the database.</summary>
    internal void Forget(Guid projectId, string name) => _found.TryRemove((projectId, name), out _);

    private async Task<string?> ReadAsync(Guid projectId, string name, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var arguments = new
        {
            ProjectId = projectId,
            Name = name,
            Now = now,
            NotedAfter = now - UseNotedFor,
        };
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var value = await connection.QuerySingleOrDefaultAsync<string>(Sql.Use.With(arguments, cancellationToken));
        return value is null ? null : box.OpenText(value, Sealed.At(projectId, name));
    }

    private static class Sql
    {
        public const string Use = """
            WITH noted AS (
                UPDATE secrets
                SET last_used_at = @Now
                WHERE project_id = @ProjectId
                    AND name = @Name
                    AND coalesce(last_used_at, '-infinity') < @NotedAfter
            )
            SELECT value FROM secrets WHERE project_id = @ProjectId AND name = @Name
            """;

        public const string Hold =
            "SELECT name FROM secrets WHERE project_id = @ProjectId AND name = @Name FOR KEY SHARE";

        public const string TakeSealed = """
            SELECT project_id, name AS id, ARRAY[value] AS sealed
            FROM secrets
            WHERE (project_id, name) > (@AfterProject, @AfterId::text) AND split_part(value, '.', 2) <> @Kid
            ORDER BY project_id, name
            LIMIT @Take
            """;

        public const string PutSealed = """
            UPDATE secrets
            SET value = (@After::text[])[1]
            WHERE project_id = @ProjectId AND name = @Id AND value = (@Before::text[])[1]
            """;
    }
}
