using System.Collections.Frozen;
using System.Reflection;

namespace Bellhop.Infrastructure.Auth;

/// <summary>Every permission there is. A route names one of these, or says that it is anonymous.</summary>
public static class Permissions
{
    public const string EventsRead = "events:read";
    public const string EventsPublish = "events:publish";
    public const string SourcesRead = "sources:read";
    public const string SourcesWrite = "sources:write";
    public const string AutomationsRead = "automations:read";
    public const string AutomationsWrite = "automations:write";
    public const string JobsRead = "jobs:read";
    public const string JobsWrite = "jobs:write";
    public const string JobsOperate = "jobs:operate";
    public const string JobsWork = "jobs:work";

    /// <summary>The configuration of queues; their jobs have permissions of their own.</summary>
    public const string QueuesRead = "queues:read";
    public const string QueuesWrite = "queues:write";
    public const string QueuesOperate = "queues:operate";
    public const string WebhooksRead = "webhooks:read";
    public const string WebhooksWrite = "webhooks:write";
    public const string WebhooksOperate = "webhooks:operate";
    public const string ConnectionsRead = "connections:read";
    public const string ConnectionsWrite = "connections:write";
    public const string ConnectionsOperate = "connections:operate";

    /// <summary>The names of secrets and who uses them; nobody reads a value.</summary>
    public const string SecretsRead = "secrets:read";
    public const string SecretsWrite = "secrets:write";

    /// <summary>Members, invitations and API keys: reading and changing them.</summary>
    public const string MembersManage = "members:manage";

    /// <summary>The project itself: what it is called, whether it is archived, who else has a say over it.</summary>
    public const string ProjectsWrite = "projects:write";
    public const string AuditRead = "audit:read";

    /// <summary>What was sent along: the data of events, rows of datasets, bodies of refused requests.</summary>
    public const string DataRead = "data:read";

    public static readonly FrozenSet<string> All = typeof(Permissions)
        .GetFields(BindingFlags.Public | BindingFlags.Static)
        .Where(field => field.IsLiteral)
        .Select(field => (string)field.GetRawConstantValue()!)
        .ToFrozenSet(StringComparer.Ordinal);
}
