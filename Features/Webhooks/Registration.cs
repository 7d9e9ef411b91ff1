using Bellhop.Features.Events;

namespace Bellhop.Features.Webhooks;

internal static class Registration
{
    public static IServiceCollection AddWebhooks(this IServiceCollection services)
    {
        services.AddSingleton<SenderJobs>();
        services.AddSingleton<SenderSignals>();
        services.AddSingleton<DeliveryLedger>();
        services.AddSingleton<IEventRoute, MatchingEndpoints>();
        services.AddScoped<SavedEndpoints>();
        services.AddSingleton<EndpointRules>();
        return services;
    }
}
