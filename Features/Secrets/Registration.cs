namespace Bellhop.Features.Secrets;

internal static class Registration
{
    public static IServiceCollection AddSecrets(this IServiceCollection services)
    {
        services.AddSingleton(NamedSecrets.Sealed);
        services.AddSingleton<NamedSecrets>();
        services.AddSingleton<SecretUsers>();
        services.AddSingleton<Resealing>();
        return services;
    }
}
