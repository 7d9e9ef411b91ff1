using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Registers the way out.</summary>
public static class OutgoingRegistration
{
    /// <summary>
    /// Adds <see cref="AddressPolicy"/> and <see cref="OutgoingClient"/>, one of each, over the
    /// <see cref="OutgoingOptions"/> that the caller has bound; unbound, nothing private is allowed.
    /// </summary>
    public static IServiceCollection AddOutgoing(this IServiceCollection services)
    {
        services.AddOptions<OutgoingOptions>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => new AddressPolicy(
            provider.GetRequiredService<IOptions<OutgoingOptions>>().Value.Networks()
        ));
        services.AddSingleton<OutgoingClient>();
        return services;
    }
}
