using System.Collections.Frozen;
using System.Net;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Infrastructure.Auth;

/// <summary>Who asks, from where, and for which project. One per request, job or command; set once, before any handler runs.</summary>
public sealed class Caller
{
    private Identity? _identity;

    /// <summary>The project it acts in. A user who picked none has none, and only what concerns the user is open to him.</summary>
    public Guid ProjectId => Known.ProjectId;

    /// <summary>As it stands in records: <c>user:&lt;e-mail&gt;</c>, <c>key:&lt;name&gt;</c>, <c>cli:&lt;os user&gt;</c>, <c>job:&lt;kind&gt;</c>, <c>source:&lt;name&gt;</c>.</summary>
    public string Actor => Known.Actor;

    /// <summary>How it was proven: one of <see cref="ProofMethod"/>.</summary>
    public string Method => Known.Method;

    /// <summary>The API key that proves the caller, where one does.</summary>
    public Guid? KeyId => Known.KeyId;

    /// <summary>The user who calls, where it is one.</summary>
    public Guid? UserId => Known.UserId;

    /// <summary>Of the user, the key, or whom another issuer's token speaks for: who owns what it makes.</summary>
    public Guid? Id => Known.UserId ?? Known.KeyId ?? Known.SubjectId;

    /// <summary>The role in the project; null for the service itself and for a user without a project.</summary>
    public string? Role => Known.Role;

    public FrozenSet<string> Permissions => Known.Permissions;

    /// <summary>What narrows the role.</summary>
    public Access Access => Known.Access;

    /// <summary>The session or family of tokens by which a user calls.</summary>
    public Guid? SessionId => Known.SessionId;

    /// <summary>Null: nobody was proven.</summary>
    public Identity? Identity => _identity;

    public bool IsKnown => _identity is not null;

    /// <summary>The project is archived: only what is left there is among the permissions.</summary>
    public bool IsInArchive => _identity?.IsInArchive == true;

    /// <summary>Nothing at all may be done, not even what is about the caller alone.</summary>
    public bool IsBarred => _identity?.IsBarred == true;

    /// <summary>Why somebody who is known may do nothing here: no project was picked, the hours are over.</summary>
    public Problem? Refusal => _identity?.Refusal;

    /// <summary>Where the request came from, behind trusted proxies; null for what did not come as one.</summary>
    public IPAddress? Address { get; private set; }

    public string? RequestId { get; private set; }

    private Identity Known => _identity ?? throw new InvalidOperationException("Nobody has said who calls.");

    public bool May(string permission) => _identity?.Permissions.Contains(permission) == true;

    /// <summary>Whether the conditions leave it this: only then does it see it.</summary>
    public bool Reaches(Traced traced) => Known.Access.Reaches(traced, Id);

    /// <summary>The queues whose jobs it sees, as a parameter of statements; null: all.</summary>
    public string[]? ReachQueues => Known.Access.Queues;

    /// <summary>The tags of which what it sees has one; null: all.</summary>
    public string[]? ReachTags => Known.Access.Tags;

    /// <summary>The owner of what it sees; null: whoever it is.</summary>
    public Guid? ReachOwner => Known.Access.Owner is null ? null : Id ?? Guid.Empty;

    public void Become(Identity identity) =>
        _identity =
            _identity is null || _identity == identity
                ? identity
                : throw new InvalidOperationException("A caller does not become another one.");

    public void ComesFrom(IPAddress? address, string requestId) => (Address, RequestId) = (address, requestId);
}

/// <summary>A proven identity.</summary>
public sealed record Identity(Guid ProjectId, string Actor, FrozenSet<string> Permissions)
{
    /// <summary>The id of the API key that proved it; null for who came another way.</summary>
    public Guid? KeyId { get; init; }

    public Guid? UserId { get; init; }

    /// <summary>Made of the issuer and its subject, where a token of another issuer proved it.</summary>
    public Guid? SubjectId { get; init; }

    public Guid? SessionId { get; init; }

    /// <summary>One of <see cref="ProofMethod"/>.</summary>
    public string Method { get; init; } = ProofMethod.Service;

    public string? Role { get; init; }

    public Access Access { get; init; } = Access.Unlimited;

    /// <summary>Why it may do nothing, where that is so.</summary>
    public Problem? Refusal { get; init; }

    /// <summary>The service itself, acting for a project: it may do everything a handler may do.</summary>
    public static Identity Internal(Guid projectId, string actor) => new(projectId, actor, Auth.Permissions.All);

    /// <summary>Also what is about the caller alone is kept from it.</summary>
    public bool IsBarred { get; init; }

    public bool IsInArchive { get; private init; }

    /// <summary>The same where its project is archived.</summary>
    public Identity InArchive() =>
        this with
        {
            IsInArchive = true,
            Permissions = Permissions.Where(Roles.IsLeftInArchive).ToFrozenSet(StringComparer.Ordinal),
        };

    /// <summary>Known, and no route is open: it may not have been the one who called.</summary>
    public Identity Barred(Problem why) => Refused(why) with { IsBarred = true };

    /// <summary>Known, and allowed nothing in a project.</summary>
    public Identity Refused(Problem why) => this with { Permissions = FrozenSet<string>.Empty, Refusal = why };
}

/// <summary>How a caller may be proven.</summary>
public static class ProofMethod
{
    public const string ApiKey = "api_key";
    public const string Session = "session";
    public const string AccessToken = "access_token";
    public const string IssuerToken = "issuer_token";
    public const string Cli = "cli";
    public const string Service = "service";

    /// <summary>At the moment of signing in.</summary>
    public const string Password = "password";
    public const string OneTimeToken = "one_time_token";

    /// <summary>Nobody was: the attempt itself is what is recorded.</summary>
    public const string None = "none";
}
