using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.Webhooks;

/// <summary>Finds the tags and the owner of an endpoint, which its deliveries have too.</summary>
internal static class EndpointResources
{
    public static readonly ResourceLookup Endpoints = new("webhook-endpoints", Sql.Endpoint);
    public static readonly ResourceLookup Deliveries = new("deliveries", Sql.Delivery);

    private static class Sql
    {
        public const string Endpoint = """
            SELECT NULL AS queue, tags, owner_id
            FROM webhook_endpoints
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
            """;

        public const string Delivery = """
            SELECT NULL AS queue, e.tags, e.owner_id
            FROM deliveries d
            JOIN webhook_endpoints e ON e.project_id = d.project_id AND e.id = d.endpoint_id
            WHERE d.project_id = @ProjectId AND d.id = @Id
            """;
    }
}
