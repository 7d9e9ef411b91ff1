using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>What <see cref="AddressPolicy.CheckUrl"/> found: the parsed URL, or the code of what is wrong.</summary>
public readonly record struct UrlCheck(Uri? Url, string? ErrorCode);

/// <summary>Decides which URLs and addresses this service may connect to. Pure: it resolves and opens nothing.</summary>
/// <remarks>
/// <para>Private, loopback, link-local, shared, documentation, benchmarking, multicast and reserved addresses are
/// refused (the special-purpose registries of RFC 6890), and so is every IPv6 form that carries an IPv4 address
/// (compatible, NAT64, 6to4, Teredo), since it may lead to a private one. An IPv4-mapped address is judged as the
/// IPv4 address it is.</para>
/// <para>An address in a network the operator allows may be reached on any port and in plain text; any other permitted
/// address only on the ports of the <see cref="Protocol"/>. The service's own servers, such as its database, are refused
/// unless they lie in such a network.</para>
/// <para><see cref="CheckUrl"/> and <see cref="CheckHost"/> are for the moment a target is saved and find what the text alone shows. A name is
/// judged by <see cref="Permits"/> when its addresses are known, at each connect, which a changed DNS answer cannot
/// outrun.</para>
/// </remarks>
public sealed partial class AddressPolicy(IEnumerable<IPNetwork> allowNetworks, IEnumerable<string>? ownHosts = null)
{
    /// <summary>The longest URL, in characters.</summary>
    public const int MaxUrlLength = 2048;

    /// <summary>The longest host name, in characters (RFC 1035 2.3.4).</summary>
    public const int MaxHostLength = 253;

    private static readonly IPNetwork[] BlockedV4 = Networks(
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4"
    );

    // Only 2000::/3 is global unicast. All else is refused with it: ::/96 with :: and ::1, 64:ff9b::/96 and
    // 64:ff9b:1::/48 (NAT64), 100::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8.
    private static readonly IPNetwork GlobalV6 = IPNetwork.Parse("2000::/3");

    // 2001::/23 holds Teredo (2001::/32), benchmarking, ORCHID and the other protocol assignments.
    private static readonly IPNetwork[] BlockedV6 = Networks("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20");

    private static readonly IPAddress[] Loopback = [IPAddress.Loopback, IPAddress.IPv6Loopback];

    private readonly IPNetwork[] _allowNetworks = [.. allowNetworks.Select(Canonical)];

    /// <summary>Names and addresses of the servers that this service itself lives on.</summary>
    public IReadOnlyList<string> OwnHosts { get; } =
    [.. (ownHosts ?? []).Select(host => host.TrimEnd('.').ToLowerInvariant())];

    /// <summary>Whether this service may connect to the address at all.</summary>
    public bool Allows(IPAddress address) => IsOperators(address) || !IsBlocked(Canonical(address));

    /// <summary>
    /// Whether this protocol may be spoken on this port to a host with these addresses. One address that is not
    /// permitted refuses them all, so that a name cannot mix a public address with a private one.
    /// </summary>
    public bool Permits(Protocol protocol, int port, IReadOnlyCollection<IPAddress> addresses) =>
        addresses.Count > 0
        && addresses.All(address => IsOperators(address) || (protocol.Ports.Contains(port) && Allows(address)));

    /// <summary>Whether all of them lie in networks the operator allows, where plain text may be spoken.</summary>
    public bool IsOperators(IReadOnlyCollection<IPAddress> addresses) =>
        addresses.Count > 0 && addresses.All(IsOperators);

    /// <summary>Parses a URL and says whether it may be saved as a target.</summary>
    public UrlCheck CheckUrl(string? url)
    {
        if (
            url is null
            || url.Length > MaxUrlLength
            // Without ICU a non-ASCII host is not mapped (①②⑦ stays what it is); its owner writes the xn-- form.
            || url.Any(character => character is <= ' ' or > '~' or '\\')
            || !Uri.TryCreate(url, UriKind.Absolute, out var parsed)
            // A path alone parses too, as a file's.
            || !url.StartsWith($"{parsed.Scheme}:", StringComparison.OrdinalIgnoreCase)
        )
        {
            return new UrlCheck(null, OutgoingErrors.UrlInvalid);
        }

        var error = SchemeError(parsed) ?? ShapeError(url, parsed) ?? TargetError(parsed);
        return error is null ? new UrlCheck(parsed, null) : new UrlCheck(null, error);
    }

    /// <summary>The code of why a host may not be saved as a target of this protocol, or null when it may.</summary>
    public string? CheckHost(Protocol protocol, string? host, int port) =>
        host is null || host.Length > MaxHostLength || !(HostName().IsMatch(host) || IsV6(host))
            ? OutgoingErrors.HostInvalid
        : port is < 1 or > ushort.MaxValue ? OutgoingErrors.PortNotAllowed
        : TargetError(protocol, host, port, OutgoingErrors.PortNotAllowed);

    /// <summary>Whether plain text is out of the question for the host, as far as its text shows.</summary>
    public bool NeedsTls(string host)
    {
        var known = KnownAddresses(host.TrimEnd('.'));
        return known.Length > 0 ? !known.Any(IsOperators) : _allowNetworks.Length == 0;
    }

    private static string? SchemeError(Uri url) =>
        url.Scheme == Uri.UriSchemeHttps || url.Scheme == Uri.UriSchemeHttp ? null : OutgoingErrors.UrlSchemeNotAllowed;

    private static string? ShapeError(string text, Uri url)
    {
        var afterScheme = text.AsSpan(url.Scheme.Length);
        if (!afterScheme.StartsWith("://") || url.IdnHost.Length == 0)
        {
            return OutgoingErrors.UrlInvalid;
        }

        var rest = afterScheme["://".Length..];
        var end = rest.IndexOfAny('/', '?', '#');
        // Uri drops an empty userinfo (https://@host), so the text is what is looked at.
        if ((end < 0 ? rest : rest[..end]).Contains('@'))
        {
            return OutgoingErrors.UrlUserinfo;
        }

        return rest.Contains('#') ? OutgoingErrors.UrlFragment : null;
    }

    private string? TargetError(Uri url) =>
        TargetError(Protocol.Of(url), url.IdnHost, url.Port, OutgoingErrors.UrlPortNotAllowed) is { } error
            ? error == OutgoingErrors.UrlPortNotAllowed && url.Scheme != Uri.UriSchemeHttps
                ? OutgoingErrors.UrlSchemeNotAllowed
                : error
            : null;

    private string? TargetError(Protocol protocol, string host, int port, string portError)
    {
        var name = host.TrimEnd('.').ToLowerInvariant();
        var known = KnownAddresses(name);
        if (known.Length > 0 && known.Any(IsOperators))
        {
            return null;
        }

        if (known.Length > 0 && !known.Any(Allows))
        {
            return OutgoingErrors.AddressNotAllowed;
        }

        // A name may turn out to lie in an operator's network; without any such network it cannot.
        var mayBeOperators = known.Length == 0 && _allowNetworks.Length > 0;
        if (mayBeOperators)
        {
            return null;
        }

        return OwnHosts.Contains(name) ? OutgoingErrors.AddressNotAllowed
            : protocol.Ports.Contains(port) ? null
            : portError;
    }

    // localhost and all below it is loopback everywhere (RFC 6761 6.3).
    private static IPAddress[] KnownAddresses(string host) =>
        IPAddress.TryParse(host, out var address) ? [address]
        : host is "localhost" || host.EndsWith(".localhost", StringComparison.Ordinal) ? Loopback
        : [];

    private bool IsOperators(IPAddress address)
    {
        var canonical = Canonical(address);
        return _allowNetworks.Any(network => network.Contains(canonical));
    }

    private static bool IsBlocked(IPAddress address) =>
        address.AddressFamily switch
        {
            AddressFamily.InterNetwork => BlockedV4.Any(network => network.Contains(address)),
            AddressFamily.InterNetworkV6 => !GlobalV6.Contains(address)
                || BlockedV6.Any(network => network.Contains(address)),
            _ => true,
        };

    internal static IPAddress Canonical(IPAddress address) =>
        address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static IPNetwork Canonical(IPNetwork network) =>
        network.BaseAddress.IsIPv4MappedToIPv6 && network.PrefixLength >= 96
            ? new IPNetwork(network.BaseAddress.MapToIPv4(), network.PrefixLength - 96)
            : network;

    private static bool IsV6(string host) =>
        !host.Contains('%', StringComparison.Ordinal)
        && IPAddress.TryParse(host, out var address)
        && address.AddressFamily == AddressFamily.InterNetworkV6
        && !host.StartsWith('[');

    // what also covers every spelling of an IPv4 address
    [GeneratedRegex(
        @"^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?\z"
    )]
    private static partial Regex HostName();

    private static IPNetwork[] Networks(params string[] networks) => [.. networks.Select(IPNetwork.Parse)];
}
