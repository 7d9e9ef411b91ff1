using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.Sources;

/// <summary>Finds the tags and the owner of a source.</summary>
internal static class SourceResources
{
    public static readonly ResourceLookup Sources = new("sources", Sql.Source);

    private static class Sql
    {
        public const string Source = """
            SELECT NULL AS queue, tags, owner_id
            FROM sources
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
            """;
    }
}
