using Bellhop.Features.Events;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Webhooks;

internal static class Registration
{
    public static IServiceCollection AddWebhooks(this IServiceCollection services)
    {
        services.AddSingleton(EndpointResources.Endpoints);
        services.AddSingleton(EndpointResources.Deliveries);
        services.AddSingleton(EndpointSecret.Sealed);
        services.AddDocumentTag(
            "Webhooks",
            "URLs that signed webhooks go out to, and each delivery with its attempts."
        );
        services.AddSingleton<SenderJobs>();
        services.AddSingleton<SenderSignals>();
        services.AddSingleton<DeliveryLedger>();
        services.AddSingleton<IEventRoute, MatchingEndpoints>();
        services.AddScoped<SavedEndpoints>();
        services.AddSingleton<EndpointRules>();
        return services;
    }
}
