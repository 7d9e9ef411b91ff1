using System.Collections.Frozen;
using System.Net;
using Npgsql;

namespace Bellhop.Infrastructure.Configuration;

/// <summary>Everything that can be configured, read once at start. Keys stand under <c>Bellhop:</c>; see deploy/README.md.</summary>
/// <remarks>
/// Defaults, then appsettings.json, then environment (<c>Bellhop__Listen</c>), then the command line. A key that nobody knows is a
/// fault, all faults are told at once, and the process ends with 78.
/// </remarks>
public sealed record Settings
{
    public const string Section = "Bellhop";

    /// <summary>Where the API listens, <c>address:port</c>. Port 0 takes a free one.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>Where /metrics and /health with detail listen. Never proxy it.</summary>
    public required IPEndPoint InternalListen { get; init; }

    /// <summary>How the public reaches the API, without a trailing slash; null: as it listens.</summary>
    public string? PublicUrl { get; init; }

    /// <summary>What the service keeps on disk: the embedded database, the key ring. An absolute path.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>A subset of <c>api</c>, <c>worker</c>, <c>scheduler</c>; all of them where nothing is said.</summary>
    public required IReadOnlyList<string> Roles { get; init; }

    /// <summary>Proxies whose X-Forwarded-* headers are believed: addresses or networks.</summary>
    public required IReadOnlyList<IPNetwork> TrustedProxies { get; init; }

    /// <summary>Host names the API answers to; empty: any.</summary>
    public required IReadOnlyList<string> AllowedHosts { get; init; }

    /// <summary>Origins whose pages may call the API (CORS), as browsers send them; empty: none.</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = [];

    /// <summary>Limits by <c>scope:bucket</c>, such as <c>Key:Reads</c>; what is not in here is unlimited.</summary>
    public IReadOnlyDictionary<string, RateLimit> RateLimits { get; init; } = FrozenDictionary<string, RateLimit>.Empty;

    /// <summary>Whether answers tell the limits that apply to them.</summary>
    public bool RateLimitHeaders { get; init; } = true;

    /// <summary>The file with the keys that seal secrets; <c>keyring</c> in the state directory where nothing is said.</summary>
    public required string KeyRing { get; init; }

    /// <summary>The identity provider by which users may sign in; null: none.</summary>
    public OidcSettings? Oidc { get; init; }

    /// <summary>Networks outgoing requests may reach although they are private; http and any port are allowed there too.</summary>
    public required IReadOnlyList<IPNetwork> OutgoingAllowNetworks { get; init; }

    /// <summary>After so long without a request a browser is signed out.</summary>
    public TimeSpan SessionIdle { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>After so long a browser is signed out, whatever it did.</summary>
    public TimeSpan SessionAbsolute { get; init; } = TimeSpan.FromHours(12);

    /// <summary>The smtp connection by which invitations and resets are sent, <c>project/connection</c>, the project by id or name; null: none are.</summary>
    public string? MailConnection { get; init; }

    /// <summary>The commands of this host that jobs of kind <c>shell</c> may run, by name; none: that kind is off.</summary>
    public IReadOnlyDictionary<string, ShellCommand> Shell { get; init; } =
        FrozenDictionary<string, ShellCommand>.Empty;

    /// <summary>How long a stopping process waits for running jobs before it hands them back, in seconds.</summary>
    public required int ShutdownGraceSeconds { get; init; }

    /// <summary>How long a stopping process still answers while /health/ready already says 503, in seconds.</summary>
    public required double DrainDelaySeconds { get; init; }

    /// <summary>How long one key signs access tokens before the next one does, in days.</summary>
    public double TokenRotateDays { get; init; } = 30;

    /// <summary>How long refresh tokens may be exchanged after a login, in days, however often they are used.</summary>
    public double TokenRefreshDays { get; init; } = 30;

    /// <summary>How long a refresh token may lie unused, in days.</summary>
    public double TokenIdleDays { get; init; } = 7;

    /// <summary>How long jobs are kept that are over, with their attempts, logs and counts, in days.</summary>
    public int RetentionJobDays { get; init; } = 30;

    /// <summary>The server for the running role; empty: an embedded one in the state directory.</summary>
    public required string ConnectionString { get; init; }

    /// <summary>The server for migrations, where their owner is another login.</summary>
    public string? MigrationsConnectionString { get; init; }

    public bool IsEmbedded => ConnectionString.Length == 0;

    /// <summary>The servers that the connection strings name; none where they are reached by a socket in the file system.</summary>
    public IReadOnlyList<string> DatabaseHosts =>
        [
            .. new[] { ConnectionString, MigrationsConnectionString }
                .SelectMany(Hosts)
                .Distinct(StringComparer.OrdinalIgnoreCase),
        ];

    public bool HasRole(string role) => Roles.Contains(role, StringComparer.Ordinal);

    // a string that does not parse is told when the storage is opened
    private static IEnumerable<string> Hosts(string? connectionString)
    {
        try
        {
            return (new NpgsqlConnectionStringBuilder(connectionString).Host ?? "")
                .Split(',', StringSplitOptions.TrimEntries)
                .Select(WithoutPort)
                .Where(host => host.Length > 0 && !Path.IsPathRooted(host));
        }
        catch (ArgumentException)
        {
            return [];
        }
    }

    // name:port, [address]:port, or an IPv6 address alone
    private static string WithoutPort(string host) =>
        host.StartsWith('[') ? host[1..].Split(']')[0]
        : host.Count(':'.Equals) == 1 ? host.Split(':')[0]
        : host;
}
