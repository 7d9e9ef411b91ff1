namespace Bellhop.Features.Jobs.Logs;

internal static class Registration
{
    /// <param name="executes">Whether this process executes jobs.</param>
    public static IServiceCollection AddJobLogs(this IServiceCollection services, bool executes)
    {
        services.AddSingleton<JobLogWriter>();
        if (executes)
        {
            services.AddHostedService(provider => provider.GetRequiredService<JobLogWriter>());
        }

        services.AddSingleton<JobLogWatch>();
        services.AddSingleton<LogRules>();
        services.AddScoped<JobLog>();
        services.AddScoped<JobLogs>();
        return services;
    }
}
