namespace Bellhop.Features.ApiKeys;

internal static class Registration
{
    public static IServiceCollection AddApiKeys(this IServiceCollection services)
    {
        services.AddSingleton<KnownKeys>();
        services.AddScoped<ApiKeyScheme>();
        services.AddAuthenticationCore(options =>
        {
            options.DefaultScheme = ApiKeyScheme.Name;
            options.AddScheme<ApiKeyScheme>(ApiKeyScheme.Name, displayName: null);
        });
        return services;
    }
}
