using Bellhop.Features.Events;

namespace Bellhop.Features.Automations;

internal static class Registration
{
    public static IServiceCollection AddAutomations(this IServiceCollection services)
    {
        services.AddSingleton<CompiledVersions>();
        services.AddSingleton<RunRoute>();
        services.AddSingleton<IEventRoute>(provider => provider.GetRequiredService<RunRoute>());
        services.AddScoped<SavedAutomations>();
        return services;
    }
}
