namespace Bellhop.Features.Jobs.Workers;

internal static class Registration
{
    public static IServiceCollection AddWorkers(this IServiceCollection services)
    {
        services.AddSingleton<ClaimRules>();
        services.AddSingleton<HeartbeatRules>();
        services.AddSingleton<EndRules>();
        services.AddSingleton<FinishRules>();
        services.AddSingleton<WorkerRegistry>();
        services.AddSingleton<HandedJobs>();
        services.AddSingleton<RepeatedClaims>();
        services.AddSingleton<CanceledLeases>();
        services.AddSingleton<WorkerClaimStatements>();
        services.AddSingleton<WorkerClaims>();
        services.AddSingleton<WorkerDesk>();
        services.AddHostedService(provider => provider.GetRequiredService<WorkerDesk>());
        services.AddScoped<ToldLeases>();
        services.AddScoped<WorkerEnds>();
        services.AddScoped<DirectedWorkers>();
        return services;
    }
}
