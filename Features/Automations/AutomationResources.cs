using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.Automations;

/// <summary>Finds the tags and the owner of an automation, which its runs have too.</summary>
internal static class AutomationResources
{
    public static readonly ResourceLookup Automations = new("automations", Sql.Automation);
    public static readonly ResourceLookup Runs = new("runs", Sql.Run);

    private static class Sql
    {
        public const string Automation = """
            SELECT NULL AS queue, tags, owner_id
            FROM automations
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
            """;

        public const string Run = """
            SELECT NULL AS queue, a.tags, a.owner_id
            FROM runs r
            JOIN automations a ON a.project_id = r.project_id AND a.id = r.automation_id
            WHERE r.project_id = @ProjectId AND r.id = @Id
            """;
    }
}
