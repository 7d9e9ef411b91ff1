using System.Net;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Registers the way out.</summary>
public static class OutgoingRegistration
{
    /// <summary>
    /// Adds <see cref="AddressPolicy"/> and <see cref="OutgoingClient"/>, one of each. Networks in
    /// <paramref name="allowNetworks"/> may be reached although they are private, and there by http and on any port
    /// too; with none, only https to public addresses on port 443. <c>0.0.0.0/0</c> with <c>::/0</c> switches the
    /// protection off.
    /// </summary>
    public static IServiceCollection AddOutgoing(
        this IServiceCollection services,
        IReadOnlyList<IPNetwork> allowNetworks
    )
    {
        services.TryAddSingleton(TimeProvider.System);
        return services.AddSingleton(new AddressPolicy(allowNetworks)).AddSingleton<OutgoingClient>();
    }
}
