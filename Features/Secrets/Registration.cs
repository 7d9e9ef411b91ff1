using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Secrets;

internal static class Registration
{
    public static IServiceCollection AddSecrets(this IServiceCollection services)
    {
        services.AddDocumentTag("Secrets", "Values that connections and steps name, and nobody reads back.");
        services.AddSingleton(NamedSecrets.Sealed);
        services.AddSingleton<NamedSecrets>();
        services.AddSingleton<SecretUsers>();
        services.AddSingleton<Resealing>();
        return services;
    }
}
