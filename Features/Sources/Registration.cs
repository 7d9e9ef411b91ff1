using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Sources;

internal static class Registration
{
    public static IServiceCollection AddSources(this IServiceCollection services)
    {
        services.AddSingleton(SourceResources.Sources);
        services.AddSingleton(SourceCache.Sealed);
        services.AddDocumentTag("Sources", "Places that signed webhooks come in at, and what was refused there.");
        services.AddSingleton<SourceCache>();
        services.AddSingleton<Rejections>();
        services.AddHostedService(provider => provider.GetRequiredService<Rejections>());
        services.AddScoped<SavedSources>();
        services.AddSingleton<SourceRules>();
        return services;
    }
}
