using Bellhop.Features.Connections;
using Bellhop.Features.Events;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

internal static class Registration
{
    public static IServiceCollection AddAutomations(this IServiceCollection services)
    {
        services.AddSingleton(AutomationResources.Automations);
        services.AddSingleton(AutomationResources.Runs);
        services.AddDocumentTag(
            "Automations",
            "What happens when an event comes in: patterns, conditions and steps; and the runs that came of it."
        );
        services.AddSingleton<CompiledVersions>();
        services.AddSingleton<RunRoute>();
        services.AddSingleton<IEventRoute>(provider => provider.GetRequiredService<RunRoute>());
        services.AddScoped<SavedAutomations>();
        services.AddSingleton<Effects>();
        services.AddSingleton<AutomationUses>();
        services.AddSingleton<ISecretUser>(provider => provider.GetRequiredService<AutomationUses>());
        services.AddSingleton<IConnectionUser>(provider => provider.GetRequiredService<AutomationUses>());
        return services;
    }
}
