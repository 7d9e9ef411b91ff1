using System.Collections.Frozen;

namespace Bellhop.Infrastructure.Auth;

/// <summary>Who asks, and for which project. One per request, job or command; set once, before any handler runs.</summary>
public sealed class Caller
{
    private Identity? _identity;

    public Guid ProjectId => Known.ProjectId;

    /// <summary>As it stands in records: <c>key:&lt;name&gt;</c>, <c>cli:&lt;os user&gt;</c>, <c>job:&lt;kind&gt;</c>, <c>source:&lt;name&gt;</c>.</summary>
    public string Actor => Known.Actor;

    /// <summary>The API key that proves the caller, where one does.</summary>
    public Guid? KeyId => Known.KeyId;

    public bool IsKnown => _identity is not null;

    private Identity Known => _identity ?? throw new InvalidOperationException("Nobody has said who calls.");

    public bool May(string permission) => _identity?.Permissions.Contains(permission) == true;

    public void Become(Identity identity) =>
        _identity =
            _identity is null || _identity == identity
                ? identity
                : throw new InvalidOperationException("A caller does not become another one.");
}

/// <summary>A proven identity.</summary>
public sealed record Identity(Guid ProjectId, string Actor, FrozenSet<string> Permissions)
{
    /// <summary>The id of the API key that proved it; null for who came another way.</summary>
    public Guid? KeyId { get; init; }

    /// <summary>The service itself, acting for a project: it may do everything a handler may do.</summary>
    public static Identity Internal(Guid projectId, string actor) => new(projectId, actor, Auth.Permissions.All);
}
