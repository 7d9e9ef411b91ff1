namespace Bellhop.Features.Webhooks;

/// <summary>Deliveries follow their endpoint: whom conditions do not leave the one does not see the others.</summary>
internal static class DeliveryReach
{
    /// <summary>Of statements on <c>deliveries</c>, with the parameters of <see cref="Infrastructure.Auth.Reach.Rows"/>.</summary>
    public const string Rows = """
         AND (
            (@ReachTags::text[] IS NULL AND @ReachOwner::uuid IS NULL)
            OR EXISTS (
                SELECT FROM webhook_endpoints e
                WHERE e.project_id = @ProjectId AND e.id = deliveries.endpoint_id
                    AND (@ReachTags IS NULL OR e.tags && @ReachTags) AND (@ReachOwner IS NULL OR e.owner_id = @ReachOwner)
            )
        )
        """;
}
