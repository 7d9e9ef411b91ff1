using Bellhop.Infrastructure.Http;

namespace Bellhop.Infrastructure.Auth;

/// <summary>Nobody grants what they lack: what a caller gives, or takes in hand of others', can do no more than the caller.</summary>
/// <remarks>
/// A grant may do only what the caller may, and what narrows the caller narrows it at least as much: it has as few queues, tags,
/// hours and networks, and is for what its holder made where the caller is. The service itself and the command line grant
/// everything.
/// </remarks>
public static class Granting
{
    /// <summary>403 that names what the caller lacks; null: it may be granted.</summary>
    public static Problem? Check(Caller caller, string role, Access access) =>
        caller.IsService() ? null
        : Lacking(caller, role, access) is { } lack
            ? Problems.Forbidden.Because($"Nobody grants what they lack: the caller {lack}.")
        : null;

    /// <summary>403 where somebody of this role and access can do more than the caller, who then may not touch it.</summary>
    public static Problem? CheckTouch(Caller caller, string noun, string role, Access access) =>
        caller.IsService() ? null
        : Lacking(caller, role, access) is { } lack
            ? Problems.Forbidden.Because($"This {noun} can do more than the caller, who {lack}.")
        : null;

    private static bool IsService(this Caller caller) => caller is { Role: null, UserId: null, KeyId: null };

    private static string? Lacking(Caller caller, string role, Access access)
    {
        var lacking = Roles.Allow(role, access.Scopes).Except(caller.Permissions).Order(StringComparer.Ordinal);
        if (string.Join(", ", lacking) is { Length: > 0 } names)
        {
            return $"lacks {names}";
        }

        var own = caller.Access;
        return own.Queues is { } queues && !IsWithin(access.Queues, queues)
                ? $"has the queues {string.Join(", ", queues)} only"
            : own.Tags is { } tags && !IsWithin(access.Tags, tags)
                ? $"has what is tagged {string.Join(" or ", tags)} only"
            : own.Owner is not null && own.Owner != access.Owner ? "has what it made only: give owner self"
            : own.Hours is { } hours && access.Hours?.AreWithin(hours) != true ? $"has these hours only: {hours}"
            : own.AllowNetworks is { } networks && !AreNetworksWithin(access.AllowNetworks, networks)
                ? $"has the networks {string.Join(", ", networks)} only"
            : null;
    }

    private static bool IsWithin(string[]? granted, string[] own) =>
        granted?.All(one => own.Contains(one, StringComparer.Ordinal)) == true;

    private static bool AreNetworksWithin(string[]? granted, string[] own)
    {
        var known = own.Select(AccessRules.ReadNetwork).ToArray();
        return granted
                ?.Select(AccessRules.ReadNetwork)
                .All(one =>
                    known.Any(network =>
                        one is { } inner
                        && network is { } outer
                        && inner.PrefixLength >= outer.PrefixLength
                        && outer.Contains(inner.BaseAddress)
                    )
                ) == true;
    }
}
