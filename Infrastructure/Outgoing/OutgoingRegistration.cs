using System.Net;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Registers the way out.</summary>
public static class OutgoingRegistration
{
    /// <summary>
    /// Adds <see cref="AddressPolicy"/>, <see cref="Dialer"/> and <see cref="OutgoingClient"/>, one of each. Networks in
    /// <paramref name="allowNetworks"/> may be reached although they are private, and there in plain text and on any port
    /// too; with none, only public addresses on the protocol's ports. <c>0.0.0.0/0</c> with <c>::/0</c> switches the
    /// protection off.
    /// </summary>
    /// <param name="ownHosts">Names and addresses of servers this service lives on, which no user may reach.</param>
    public static IServiceCollection AddOutgoing(
        this IServiceCollection services,
        IReadOnlyList<IPNetwork> allowNetworks,
        IReadOnlyList<string> ownHosts
    )
    {
        PeerTrust.GuardDownloads();
        services.TryAddSingleton(TimeProvider.System);
        return services
            .AddSingleton(new AddressPolicy(allowNetworks, ownHosts))
            .AddSingleton<Dialer>()
            .AddSingleton<OutgoingClient>();
    }
}
