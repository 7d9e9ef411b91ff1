using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>Which automations name which secrets, in the version that is active or would be.</summary>
/// <remarks>A run that began with an older version may still name another; its step then fails with <c>unknown_secret</c>.</remarks>
internal sealed class SecretsOfAutomations : ISecretUser
{
    public async Task<IEnumerable<SecretUse>> FindAsync(
        NpgsqlConnection connection,
        Guid projectId,
        string[] secrets,
        CancellationToken cancellationToken
    )
    {
        var definitions = await connection.QueryAsync<string>(
            Sql.MayName.With(new { ProjectId = projectId }, cancellationToken)
        );
        return definitions
            .Select(AutomationDocument.Read)
            .SelectMany(document =>
                CompiledAutomation.Compile(document, null).Unwrap().Secrets.Select(name => (name, document.Name))
            )
            .Where(use => secrets.Contains(use.name))
            .Select(use => new SecretUse(use.name, $"automations/{use.Name}"));
    }

    private static class Sql
    {
        public const string MayName = """
            SELECT v.definition::text
            FROM automations a
            JOIN automation_versions v
                ON v.project_id = a.project_id AND v.automation_id = a.id AND v.version = a.active_version
            WHERE a.project_id = @ProjectId AND a.deleted_at IS NULL AND v.definition::text LIKE '%secrets%'
            ORDER BY a.name
            """;
    }
}
