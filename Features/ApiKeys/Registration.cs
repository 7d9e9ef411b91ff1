using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.ApiKeys;

internal static class Registration
{
    public static IServiceCollection AddApiKeys(this IServiceCollection services)
    {
        services.AddSingleton<KnownKeys>();
        services.AddSingleton<ICallerProof, ApiKeyProof>();
        return services;
    }
}
