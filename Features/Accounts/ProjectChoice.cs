using System.Collections.Frozen;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

/// <summary>In which project a user acts: the one that the header <c>Bellhop-Project</c> names by id or name.</summary>
/// <remarks>Without the header it is the only one he is a member of. One he is no member of is as one that does not exist.</remarks>
public static class ProjectChoice
{
    /// <param name="scopes">What a token narrows the role to, beside what the membership does.</param>
    public static Identity Of(
        KnownUser user,
        HttpContext http,
        string method,
        Guid? sessionId,
        IReadOnlyCollection<string>? scopes = null
    )
    {
        var nobody = new Identity(Guid.Empty, user.Actor, FrozenSet<string>.Empty)
        {
            UserId = user.Id,
            SessionId = sessionId,
            Method = method,
        };
        var header = http.Request.Headers[ProjectHeader.Name];
        if (header.Count > 1)
        {
            return nobody.Refused(Refuse("Give it once."));
        }

        var chosen =
            header is [{ } text] ? user.Memberships.FirstOrDefault(membership => IsMeant(membership, text))
            : user.Memberships is [var only] ? only
            : null;
        if (chosen is null)
        {
            return nobody.Refused(
                header.Count > 0 || user.Memberships.Count == 0
                    ? AccountsProblems.NoProject
                    : Refuse("Name the project, by id or name: you are a member of several.")
            );
        }

        var allowed = Roles.Allow(chosen.Role, chosen.Access.Scopes);
        var identity = nobody with
        {
            ProjectId = chosen.ProjectId,
            Role = chosen.Role,
            Access = chosen.Access,
            Permissions = scopes is null ? allowed : allowed.Intersect(scopes).ToFrozenSet(StringComparer.Ordinal),
        };
        return chosen.IsArchived ? identity.InArchive() : identity;
    }

    private static bool IsMeant(KnownMembership membership, string text) =>
        membership.Project == text || (Guid.TryParseExact(text, "D", out var id) && membership.ProjectId == id);

    private static Problem Refuse(string message) =>
        Problems.ProjectRequired.Because(message, FieldError.InHeader(ProjectHeader.Name, "required", message));
}
