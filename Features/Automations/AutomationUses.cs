using Bellhop.Features.Connections;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>Which automations name which secrets and connections, in the version that is active or would be.</summary>
/// <remarks>
/// A run that began with an older version may still name another; its step then fails with <c>unknown_secret</c> or
/// <c>unknown_connection</c>.
/// </remarks>
internal sealed class AutomationUses : ISecretUser, IConnectionUser
{
    public async Task<IEnumerable<SecretUse>> FindAsync(
        NpgsqlConnection connection,
        Guid projectId,
        string[] secrets,
        CancellationToken cancellationToken
    )
    {
        var effects = await FindEffectsAsync(connection, projectId, cancellationToken);
        return effects
            .SelectMany(effect => effect.Step.Secrets.Select(secret => new SecretUse(secret, effect.By)))
            .Where(use => secrets.Contains(use.Secret))
            .Distinct();
    }

    public async Task<IEnumerable<string>> FindAsync(
        NpgsqlConnection connection,
        Guid projectId,
        string name,
        CancellationToken cancellationToken
    )
    {
        var effects = await FindEffectsAsync(connection, projectId, cancellationToken);
        return effects.Where(effect => effect.Step.Connection == name).Select(effect => effect.By).Distinct();
    }

    private static async Task<IEnumerable<(string By, StepEffect Step)>> FindEffectsAsync(
        NpgsqlConnection connection,
        Guid projectId,
        CancellationToken cancellationToken
    )
    {
        var definitions = await connection.QueryAsync<(string Name, string Definition)>(
            Sql.WithEffects.With(new { ProjectId = projectId }, cancellationToken)
        );
        return
        [
            .. definitions.SelectMany(row =>
                CompiledAutomation
                    .Compile(AutomationDocument.Read(row.Definition), null)
                    .Unwrap()
                    .Effects.Select(effect => ($"automations/{row.Name}", effect))
            ),
        ];
    }

    private static class Sql
    {
        // what has none of these words in it names nothing, and need not be compiled
        public const string WithEffects = """
            SELECT a.name, v.definition::text AS definition
            FROM automations a
            JOIN automation_versions v
                ON v.project_id = a.project_id AND v.automation_id = a.id AND v.version = a.active_version
            WHERE a.project_id = @ProjectId AND a.deleted_at IS NULL AND v.definition::text ~ '"(http|notify)"'
            ORDER BY a.name
            """;
    }
}
