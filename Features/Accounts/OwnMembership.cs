using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

/// <summary>A project that a user may act in, as he sees it.</summary>
/// <param name="Project">Its name.</param>
public sealed record OwnMembership(
    Guid ProjectId,
    [property: MaxLength(63)] string Project,
    [property: MaxLength(63)] string Role,
    bool IsArchived
) : IExampled<OwnMembership>
{
    public static OwnMembership Example => new(Story.Endpoint, "shop", "operator", false);

    internal static OwnMembership Of(KnownMembership membership) =>
        new(membership.ProjectId, membership.Project, membership.Role, membership.IsArchived);
}
