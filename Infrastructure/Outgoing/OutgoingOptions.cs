using System.Net;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>What an operator may open for requests that leave this service; section <c>Bellhop:Outgoing</c>.</summary>
public sealed record OutgoingOptions
{
    /// <summary>
    /// Networks in CIDR form (<c>10.20.0.0/16</c>, <c>::1/128</c>) that may be reached although they are private, and
    /// there also by plain http and on any port. Default: none, so only https to public addresses on port 443.
    /// <c>0.0.0.0/0</c> with <c>::/0</c> switches the protection off.
    /// </summary>
    public string[] AllowNetworks { get; init; } = [];

    /// <summary>What is wrong with the options, one sentence each; empty when nothing is.</summary>
    public static IReadOnlyList<string> Validate(OutgoingOptions options) =>
        [
            .. options
                .AllowNetworks.Where(text => !TryParse(text, out _))
                .Select(text => $"Bellhop:Outgoing:AllowNetworks: '{text}' is not a network such as 10.20.0.0/16."),
        ];

    internal IEnumerable<IPNetwork> Networks() => AllowNetworks.Select(IPNetwork.Parse);

    // An IPv4-mapped network would never match, because addresses are unmapped before they are looked up.
    private static bool TryParse(string text, out IPNetwork network) =>
        IPNetwork.TryParse(text, out network) && !network.BaseAddress.IsIPv4MappedToIPv6;
}
