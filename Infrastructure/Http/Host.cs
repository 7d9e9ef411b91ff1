using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Mediation;
using Bellhop.Infrastructure.Telemetry;
using Carter;

namespace Bellhop.Infrastructure.Http;

/// <summary>The process around the features: server, logs, telemetry, beats.</summary>
public static class Host
{
    public static WebApplicationBuilder AddHost(this WebApplicationBuilder builder, Settings settings)
    {
        var listeners = new Listeners(settings);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(listeners.Configure);
        builder.Logging.AddLogLines();
        builder
            .Services.AddSingleton(listeners)
            .AddSingleton(TimeProvider.System)
            .AddSingleton<IHostLifetime, NoSignals>()
            .AddSingleton<Drain>()
            .Configure<HostOptions>(options =>
                options.ShutdownTimeout = TimeSpan.FromSeconds(settings.ShutdownGraceSeconds + 10)
            )
            .AddMediation()
            .AddPermissions()
            .AddPipeline(settings)
            .AddTelemetry()
            .AddDocumentation()
            .AddCarter(
                new DependencyContextAssemblyCatalog(typeof(Host).Assembly),
                carter => carter.WithEmptyValidators()
            );
        if (settings.HasRole("scheduler"))
        {
            builder.Services.AddBeats();
        }

        return builder;
    }

    /// <summary>Signals belong to whoever runs the host: a process may hold several, and drains before it stops.</summary>
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
