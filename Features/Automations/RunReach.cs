namespace Bellhop.Features.Automations;

/// <summary>Runs follow their automation: whom conditions do not leave the one does not see the others.</summary>
internal static class RunReach
{
    /// <summary>Of statements on <c>runs r</c>, with the parameters of <see cref="Infrastructure.Auth.Reach.Rows"/>.</summary>
    /// <remarks>A subquery: as a condition on a join the planner takes it for one that few rows meet, and reads them all.</remarks>
    public const string Rows = """
         AND (
            (@ReachTags::text[] IS NULL AND @ReachOwner::uuid IS NULL)
            OR EXISTS (
                SELECT FROM automations o
                WHERE o.project_id = @ProjectId AND o.id = r.automation_id
                    AND (@ReachTags IS NULL OR o.tags && @ReachTags) AND (@ReachOwner IS NULL OR o.owner_id = @ReachOwner)
            )
        )
        """;
}
