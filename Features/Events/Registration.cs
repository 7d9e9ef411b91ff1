using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

internal static class Registration
{
    public static IServiceCollection AddEvents(this IServiceCollection services)
    {
        services.AddDocumentTag(
            "Events",
            "What happened. Events come in here or as signed webhooks, are stored once, and cause runs and deliveries."
        );
        services.AddSingleton<EventWriter>();
        services.AddSingleton<UnroutedEvents>();
        services.AddSingleton<EventLog>();
        services.AddSingleton<EventChannel>();
        services.AddHostedService(provider => provider.GetRequiredService<EventChannel>());
        return services;
    }
}
