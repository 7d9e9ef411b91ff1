using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.Connections;

/// <summary>Finds the tags and the owner of a connection.</summary>
internal static class ConnectionResources
{
    public static readonly ResourceLookup Connections = new("connections", Sql.Connection);

    private static class Sql
    {
        public const string Connection = """
            SELECT NULL AS queue, tags, owner_id
            FROM connections
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text)
            """;
    }
}
