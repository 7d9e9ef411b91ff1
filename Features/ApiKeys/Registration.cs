using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.ApiKeys;

internal static class Registration
{
    public static IServiceCollection AddApiKeys(this IServiceCollection services)
    {
        services.AddDocumentTag("API keys", "What programs prove themselves with, and what each may do.");
        services.AddSingleton<KnownKeys>();
        services.AddScoped<StoredKeys>();
        services.AddSingleton<ICallerProof, ApiKeyProof>();
        return services;
    }
}
