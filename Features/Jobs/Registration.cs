using Bellhop.Features.Jobs.Logs;
using Bellhop.Features.Jobs.Queues;
using Bellhop.Features.Jobs.Running;
using Bellhop.Features.Jobs.Tail;
using Bellhop.Features.Jobs.Workers;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs;

internal static class Registration
{
    /// <param name="executes">Whether this process executes jobs, or only enqueues and shows them.</param>
    public static IServiceCollection AddJobs(this IServiceCollection services, bool executes)
    {
        services.AddSingleton<QueueMinutes>();
        services.AddHostedService(provider => provider.GetRequiredService<QueueMinutes>()); // before what counts: it stops after it
        services.AddJobLogs(executes); // the same
        if (executes)
        {
            services.AddRunner();
        }

        services.AddSingleton(JobResources.Jobs);
        services.AddSingleton(JobResources.Queues);
        services.AddSingleton<Admission>();
        services.AddHostedService(provider => provider.GetRequiredService<Admission>());

        services.AddDocumentTag("Jobs", "Units of durable work in queues, with attempts, leases and results.");
        services.AddDocumentTag("Workers", "Programs elsewhere that claim jobs, execute them and say how they ended.");
        services.AddDocumentTag(
            "Queues",
            "What jobs wait in: who executes them, how many at once, and how they are retried."
        );
        services.AddSingleton<QueueRules>();
        services.AddScoped<SavedQueues>();
        services.AddSingleton<QueueSignals>();
        services.AddSingleton<QueueDepths>();
        services.AddSingleton<JobKinds>();
        services.AddSingleton<ExpiredLeases>();
        services.AddSingleton<JobWatch>();
        services.AddSingleton<TailReads>();
        services.AddSingleton<JobTail>();
        services.AddSingleton<EndingStore>();
        services.AddSingleton<JobRules>();
        services.AddSingleton<LookedKeys>();
        services.AddSingleton<LookedEdges>();
        services.AddSingleton<ShellRuns>();
        services.AddScoped<JobViews>();
        services.AddSingleton<JobChannel>();
        services.AddHostedService(provider => provider.GetRequiredService<JobChannel>());
        services.AddScoped<JobTargets>();
        services.AddScoped<EnqueuedJobs>();
        services.AddScoped<KeyHolders>();
        services.AddScoped<JobActions>();
        services.AddScoped<JobSelection>();
        services.AddScoped<JobSearch>();
        services.AddScoped<JobPlaces>();
        services.AddWorkers();
        return services.Scan(scan =>
            scan.FromAssemblyOf<Program>()
                .AddClasses(classes => classes.AssignableTo<JobConsumer>(), publicOnly: false)
                .As<JobConsumer>()
                .WithSingletonLifetime()
        );
    }

    // hosted services stop in reverse: the runner first, then what stores and keeps for it
    private static void AddRunner(this IServiceCollection services)
    {
        services.AddSingleton<HeldJobs>();
        services.AddSingleton<JobClaims>();
        services.AddSingleton<JobExecution>();
        services.AddSingleton<Heartbeat>();
        services.AddSingleton<JobFinisher>();
        services.AddSingleton<JobRunner>();
        services.AddSingleton<JobStarter>();
        services.AddHostedService(provider => provider.GetRequiredService<Heartbeat>());
        services.AddHostedService(provider => provider.GetRequiredService<JobFinisher>());
        services.AddHostedService(provider => provider.GetRequiredService<JobRunner>());
    }
}
