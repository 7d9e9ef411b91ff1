using Bellhop.Infrastructure.Secrets;

namespace Bellhop.Features.Connections;

/// <summary>Where a connection's own secret is sealed to. One that it only names is kept with the named secrets.</summary>
internal static class ConnectionSecret
{
    public static readonly SealedColumn Sealed = new("connections", "secret", Sql.TakeSealed, Sql.PutSealed);

    public static AssociatedData PlaceOf(Guid projectId, Guid id) => Sealed.At(projectId, $"{id}");

    private static class Sql
    {
        public const string TakeSealed = """
            SELECT project_id, id::text AS id, ARRAY[secret] AS sealed
            FROM connections
            WHERE (project_id, id) > (@AfterProject, @AfterId::uuid) AND split_part(secret, '.', 2) <> @Kid
            ORDER BY project_id, id
            LIMIT @Take
            """;

        public const string PutSealed = """
            UPDATE connections
            SET secret = (@After::text[])[1]
            WHERE project_id = @ProjectId AND id = @Id::uuid AND secret = (@Before::text[])[1]
            """;
    }
}
