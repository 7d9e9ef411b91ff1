using System.Collections.Frozen;
using System.Globalization;
using System.Net;
using System.Text;

namespace Bellhop.Infrastructure.Configuration;

/// <summary>Reads <see cref="Settings"/> and collects every fault instead of stopping at the first.</summary>
public sealed class SettingsReader(IConfiguration configuration)
{
    private static readonly string[] Known =
    [
        "Listen",
        "InternalListen",
        "PublicUrl",
        "StateDirectory",
        "Roles",
        "TrustedProxies",
        "AllowedHosts",
        "Cors:Origins",
        .. RateLimit.Places.Select(place => $"RateLimits:{place}"),
        "RateLimits:Headers",
        "KeyRing",
        "Oidc:Authority",
        "Oidc:ClientId",
        "Oidc:ClientSecret",
        "Outgoing:AllowNetworks",
        "Sessions:IdleSeconds",
        "Sessions:AbsoluteSeconds",
        "Mail:Connection",
        ShellCommand.Place,
        "ShutdownGraceSeconds",
        "DrainDelaySeconds",
        "Tokens:RotateDays",
        "Tokens:RefreshDays",
        "Tokens:IdleDays",
        "Retention:JobDays",
    ];

    private static readonly string[] AllRoles = ["api", "worker", "scheduler"];

    private readonly IConfigurationSection _section = configuration.GetSection(Settings.Section);
    private readonly List<string> _faults = [];

    /// <summary>The settings, or the faults, each naming its key and what would be right.</summary>
    public (Settings? Settings, IReadOnlyList<string> Faults) Read()
    {
        RefuseUnknownKeys();
        var state = Path.GetFullPath(Text("StateDirectory") ?? ".state");
        var settings = new Settings
        {
            Listen = EndPoint("Listen", "127.0.0.1:8080"),
            InternalListen = EndPoint("InternalListen", "127.0.0.1:8081"),
            PublicUrl = Url("PublicUrl"),
            StateDirectory = state,
            Roles = RolesOrAll(),
            TrustedProxies = Networks("TrustedProxies"),
            AllowedHosts = List("AllowedHosts"),
            CorsOrigins = Origins("Cors:Origins"),
            RateLimits = Limits(),
            RateLimitHeaders = Truth("RateLimits:Headers", otherwise: true),
            KeyRing = Path.GetFullPath(Text("KeyRing") ?? Path.Combine(state, "keyring")),
            Oidc = Oidc(),
            OutgoingAllowNetworks = Networks("Outgoing:AllowNetworks"),
            SessionIdle = TimeSpan.FromSeconds(Number("Sessions:IdleSeconds", 1_800, 60, 86_400)),
            SessionAbsolute = TimeSpan.FromSeconds(Number("Sessions:AbsoluteSeconds", 43_200, 60, 2_592_000)),
            MailConnection = Connection("Mail:Connection"),
            Shell = Commands(),
            ShutdownGraceSeconds = (int)Number("ShutdownGraceSeconds", 20, 0, 3600),
            DrainDelaySeconds = Number("DrainDelaySeconds", 1.5, 0, 60),
            TokenRotateDays = Number("Tokens:RotateDays", 30, 1, 365),
            TokenRefreshDays = Number("Tokens:RefreshDays", 30, 1, 365),
            TokenIdleDays = Number("Tokens:IdleDays", 7, 0.01, 365),
            RetentionJobDays = (int)Number("Retention:JobDays", 30, 3, 3_650),
            ConnectionString = configuration.GetConnectionString("Bellhop") ?? "",
            MigrationsConnectionString = configuration.GetConnectionString("Migrations"),
        };
        return _faults.Count == 0 ? (settings, []) : (null, _faults);
    }

    private void RefuseUnknownKeys()
    {
        foreach (var (key, value) in _section.AsEnumerable(makePathsRelative: true))
        {
            if (value is not null && !Known.Any(known => Covers(known, key)))
            {
                _faults.Add($"{Settings.Section}:{key} is not a setting; known are {string.Join(", ", Known)}.");
            }
        }
    }

    // what is below the commands is looked at with them
    private static bool Covers(string known, string key) =>
        key.Equals(known, StringComparison.OrdinalIgnoreCase)
        || (known == ShellCommand.Place && key.StartsWith(known + ":", StringComparison.OrdinalIgnoreCase))
        || (
            key.StartsWith(known + ":", StringComparison.OrdinalIgnoreCase)
            && int.TryParse(key[(known.Length + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out _)
        );

    private string? Text(string key) => _section[key] is { Length: > 0 } text ? text : null;

    private IPEndPoint EndPoint(string key, string otherwise)
    {
        if (IPEndPoint.TryParse(Text(key) ?? otherwise, out var endPoint))
        {
            return endPoint;
        }

        _faults.Add($"{Settings.Section}:{key} must be address:port, such as {otherwise}.");
        return IPEndPoint.Parse(otherwise);
    }

    private string? Url(string key)
    {
        var text = Text(key);
        if (text is null || (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"))
        {
            return text?.TrimEnd('/');
        }

        _faults.Add($"{Settings.Section}:{key} must be an absolute http or https URL.");
        return null;
    }

    private string? Connection(string key)
    {
        var text = Text(key);
        if (text is null || text.Split('/') is [{ Length: > 0 }, { Length: > 0 }])
        {
            return text;
        }

        _faults.Add($"{Settings.Section}:{key} must be project/connection, such as default/mail.");
        return null;
    }

    private double Number(string key, double otherwise, double least, double most)
    {
        var text = Text(key);
        if (text is null)
        {
            return otherwise;
        }

        if (
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && number >= least
            && number <= most
        )
        {
            return number;
        }

        _faults.Add($"{Settings.Section}:{key} must be a number from {least} to {most}.");
        return otherwise;
    }

    // a list is written as Key:0, Key:1, … or as one text with commas
    private string[] List(string key) =>
        Text(key) is { } text
            ? text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            :
            [
                .. _section
                    .GetSection(key)
                    .GetChildren()
                    .Select(child => child.Value!)
                    .Where(value => value is not null),
            ];

    private IPNetwork[] Networks(string key)
    {
        var networks = new List<IPNetwork>();
        foreach (var text in List(key))
        {
            if (IPNetwork.TryParse(text, out var network))
            {
                networks.Add(network);
            }
            else if (IPAddress.TryParse(text, out var address))
            {
                networks.Add(new IPNetwork(address, address.GetAddressBytes().Length * 8));
            }
            else
            {
                _faults.Add(
                    $"{Settings.Section}:{key}: {text} is neither an address nor a network such as 10.0.0.0/8."
                );
            }
        }

        return [.. networks];
    }

    private string[] Origins(string key)
    {
        var origins = List(key);
        foreach (var origin in origins.Where(origin => !IsOrigin(origin)))
        {
            _faults.Add(
                $"{Settings.Section}:{key}: {origin} is not an origin as browsers send it, such as https://console.example.com; "
                    + "there are no patterns."
            );
        }

        return origins;
    }

    private static bool IsOrigin(string text) =>
        Ascii.IsValid(text)
        && !text.Contains('*', StringComparison.Ordinal)
        && Uri.TryCreate(text, UriKind.Absolute, out var url)
        && url.Scheme is "http" or "https"
        && url.GetLeftPart(UriPartial.Authority) == text;

    private Dictionary<string, RateLimit> Limits()
    {
        var limits = new Dictionary<string, RateLimit>(RateLimit.Defaults);
        foreach (var place in RateLimit.Places)
        {
            var text = Text($"RateLimits:{place}");
            if (text == "unlimited")
            {
                limits.Remove(place);
            }
            else if (text is not null && RateLimit.Parse(text) is { } limit)
            {
                limits[place] = limit;
            }
            else if (text is not null)
            {
                _faults.Add(
                    $"{Settings.Section}:RateLimits:{place} must be unlimited, or requests/seconds such as 600/60, "
                        + $"up to {RateLimit.MaxRequests}/{RateLimit.MaxSeconds}."
                );
            }
        }

        return limits;
    }

    private FrozenDictionary<string, ShellCommand> Commands()
    {
        if (Text(ShellCommand.Place) is not null)
        {
            _faults.Add(
                $"{Settings.Section}:{ShellCommand.Place} holds commands by name: set {ShellCommand.Place}:<name>."
            );
        }

        // names of settings have no case, and neither have these
        return _section
            .GetSection(ShellCommand.Place)
            .GetChildren()
            .Select(section => (section.Key, Command: ShellCommand.Read(section, _faults)))
            .Where(pair => pair.Command is not null)
            .ToFrozenDictionary(pair => pair.Key, pair => pair.Command!, StringComparer.OrdinalIgnoreCase);
    }

    private bool Truth(string key, bool otherwise)
    {
        if (bool.TryParse(Text(key) ?? $"{otherwise}", out var truth))
        {
            return truth;
        }

        _faults.Add($"{Settings.Section}:{key} must be true or false.");
        return otherwise;
    }

    private OidcSettings? Oidc()
    {
        var (authority, client) = (Url("Oidc:Authority"), Text("Oidc:ClientId"));
        if (authority is null != client is null)
        {
            _faults.Add($"{Settings.Section}:Oidc needs both, Authority and ClientId.");
        }

        return authority is null || client is null
            ? null
            : new OidcSettings(authority, client, Text("Oidc:ClientSecret"));
    }

    private string[] RolesOrAll()
    {
        var roles = List("Roles");
        foreach (var unknown in roles.Except(AllRoles, StringComparer.Ordinal))
        {
            _faults.Add(
                $"{Settings.Section}:Roles: there is no role {unknown}; known are {string.Join(", ", AllRoles)}."
            );
        }

        return roles.Length == 0 ? AllRoles : roles;
    }
}
