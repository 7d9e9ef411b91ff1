using System.Collections.Frozen;

namespace Bellhop.Infrastructure.Auth;

/// <summary>The one table of what each role may do. Scopes of a key only take away from it.</summary>
public static class Roles
{
    public const string Owner = "owner";

    private static readonly string[] Viewer =
    [
        .. Permissions
            .All.Where(name => name.EndsWith(":read", StringComparison.Ordinal))
            .Except([Permissions.DataRead, Permissions.AuditRead]),
    ];

    private static readonly string[] Operator =
    [
        .. Viewer,
        .. Permissions.All.Where(name => name.EndsWith(":operate", StringComparison.Ordinal)),
        Permissions.DataRead,
    ];

    private static readonly string[] Developer =
    [
        .. Operator,
        .. Permissions
            .All.Where(name => name.EndsWith(":write", StringComparison.Ordinal))
            .Except([Permissions.ProjectsWrite]),
        Permissions.EventsPublish,
        Permissions.JobsWork,
    ];

    private static readonly string[] Admin = [.. Developer, Permissions.MembersManage, Permissions.AuditRead];

    public static readonly FrozenDictionary<string, FrozenSet<string>> Table = new Dictionary<string, string[]>
    {
        ["viewer"] = Viewer,
        ["operator"] = Operator,
        ["developer"] = Developer,
        ["admin"] = Admin,
        [Owner] = [.. Admin, Permissions.ProjectsWrite],
        ["worker"] = [Permissions.JobsWork, Permissions.EventsPublish],
    }.ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToFrozenSet(StringComparer.Ordinal));

    /// <summary>The roles of people, the one that may least first; each may do what the one before may.</summary>
    public static readonly IReadOnlyList<string> Ranked = ["viewer", "operator", "developer", "admin", Owner];

    /// <summary>Whether it may be done in a project that is archived: reading, and what its owners do to the project itself.</summary>
    public static bool IsLeftInArchive(string permission) =>
        permission.EndsWith(":read", StringComparison.Ordinal) || permission == Permissions.ProjectsWrite;

    /// <summary>What a role may do, cut down to the scopes where there are any. An unknown role may do nothing.</summary>
    public static FrozenSet<string> Allow(string role, IReadOnlyCollection<string>? scopes)
    {
        var allowed = Table.GetValueOrDefault(role, FrozenSet<string>.Empty);
        return scopes is null ? allowed : allowed.Intersect(scopes).ToFrozenSet(StringComparer.Ordinal);
    }
}
