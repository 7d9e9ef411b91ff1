namespace Bellhop.Features.Sources;

internal static class Registration
{
    public static IServiceCollection AddSources(this IServiceCollection services)
    {
        services.AddSingleton<SourceCache>();
        services.AddSingleton<Rejections>();
        services.AddHostedService(provider => provider.GetRequiredService<Rejections>());
        services.AddScoped<SavedSources>();
        services.AddSingleton<SourceRules>();
        return services;
    }
}
