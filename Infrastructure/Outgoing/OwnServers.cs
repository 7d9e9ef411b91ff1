using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Knows the addresses of the servers this service itself lives on, such as its database.</summary>
/// <remarks>
/// Names are resolved at most once a minute. One that does not resolve keeps the addresses it had: a service whose database is away
/// neither opens it to users nor stops sending.
/// </remarks>
internal sealed class OwnServers(IReadOnlyList<string> hosts, Resolver resolve, TimeProvider clock)
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(1);

    // written by whoever found nothing young enough; a race costs one more look-up
    private readonly ConcurrentDictionary<string, (IPAddress[] Addresses, long ReadAt)> _known = new();

    public async ValueTask<bool> AnyAsync(IReadOnlyCollection<IPAddress> addresses, CancellationToken cancellationToken)
    {
        foreach (var host in hosts)
        {
            var own = await AddressesAsync(host, cancellationToken);
            if (addresses.Select(AddressPolicy.Canonical).Intersect(own.Select(AddressPolicy.Canonical)).Any())
            {
                return true;
            }
        }

        return false;
    }

    private async ValueTask<IPAddress[]> AddressesAsync(string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return [literal];
        }

        var isKnown = _known.TryGetValue(host, out var known);
        if (isKnown && clock.GetElapsedTime(known.ReadAt) < MaxAge)
        {
            return known.Addresses;
        }

        var readAt = clock.GetTimestamp();
        try
        {
            known = (await resolve(host, cancellationToken), readAt);
        }
        catch (SocketException)
        {
            known = (known.Addresses ?? [], readAt);
        }

        _known[host] = known;
        return known.Addresses;
    }
}
