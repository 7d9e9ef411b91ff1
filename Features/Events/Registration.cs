namespace Bellhop.Features.Events;

internal static class Registration
{
    public static IServiceCollection AddEvents(this IServiceCollection services)
    {
        services.AddSingleton<EventWriter>();
        services.AddSingleton<UnroutedEvents>();
        services.AddSingleton<EventLog>();
        services.AddSingleton<EventChannel>();
        services.AddHostedService(provider => provider.GetRequiredService<EventChannel>());
        return services;
    }
}
