using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Secrets;

/// <summary>The names of a project's secrets, for what is about to name one: they stay until the transaction ends.</summary>
public static class SecretNames
{
    public static async Task<IReadOnlyCollection<string>> ReadAsync(
        NpgsqlConnection connection,
        Guid projectId,
        CancellationToken cancellationToken
    )
    {
        var names = await connection.QueryAsync<string>(
            Sql.Names.With(new { ProjectId = projectId }, cancellationToken)
        );
        return names.ToHashSet(StringComparer.Ordinal);
    }

    private static class Sql
    {
        public const string Names = "SELECT name FROM secrets WHERE project_id = @ProjectId FOR KEY SHARE";
    }
}
