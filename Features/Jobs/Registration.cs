using Bellhop.Features.Jobs.Running;

namespace Bellhop.Features.Jobs;

internal static class Registration
{
    /// <summary>What enqueues, in every process.</summary>
    public static IServiceCollection AddJobs(this IServiceCollection services)
    {
        services.AddSingleton<QueueSignals>();
        services.AddSingleton<JobKinds>();
        services.AddSingleton<ExpiredLeases>();
        return services.Scan(scan =>
            scan.FromAssemblyOf<Program>()
                .AddClasses(classes => classes.AssignableTo<JobConsumer>(), publicOnly: false)
                .As<JobConsumer>()
                .WithSingletonLifetime()
        );
    }

    /// <summary>What executes. Hosted services stop in reverse: the runner first, then what stores and keeps for it.</summary>
    public static IServiceCollection AddJobRunner(this IServiceCollection services)
    {
        services.AddSingleton<HeldJobs>();
        services.AddSingleton<JobClaims>();
        services.AddSingleton<JobExecution>();
        services.AddSingleton<Heartbeat>();
        services.AddSingleton<JobFinisher>();
        services.AddSingleton<JobRunner>();
        services.AddHostedService(provider => provider.GetRequiredService<Heartbeat>());
        services.AddHostedService(provider => provider.GetRequiredService<JobFinisher>());
        services.AddHostedService(provider => provider.GetRequiredService<JobRunner>());
        return services;
    }
}
