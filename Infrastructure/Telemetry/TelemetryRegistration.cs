using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using Bellhop.Infrastructure.Http;
using Npgsql;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Prometheus;

namespace Bellhop.Infrastructure.Telemetry;

/// <summary>Metrics for Prometheus on the internal port; traces for whoever <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> names.</summary>
public static class TelemetryRegistration
{
    private const double DefaultRatio = 0.01;

    public static IServiceCollection AddTelemetry(this IServiceCollection services)
    {
        // the bridges would add everything that anything in the process ever measures
        Metrics.SuppressDefaultMetrics(
            new SuppressDefaultMetricOptions
            {
                SuppressMeters = true,
                SuppressEventCounters = true,
                SuppressDebugMetrics = true,
            }
        );
        Metrics
            .CreateGauge("bellhop_build_info", "1, with the version as a label.", "version")
            .WithLabels(BuildInfo.Version)
            .Set(1);
        PoolMetrics.Start();
        services
            .AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("bellhop", serviceVersion: BuildInfo.Version))
            .WithTracing(Trace);
        return services;
    }

    public static WebApplication MapTelemetry(this WebApplication app)
    {
        MakeMetrics();
        app.MapMetrics("/metrics").AllowAnonymous().OnInternalPort();
        return app;
    }

    /// <summary>Every metric is there from the first scrape on, or the first event of each would be missing from its rate.</summary>
    private static void MakeMetrics()
    {
        const BindingFlags AnyStatic = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        foreach (var type in typeof(TelemetryRegistration).Assembly.GetTypes())
        {
            if (
                !type.ContainsGenericParameters
                && type.GetFields(AnyStatic).Any(field => field.FieldType.IsSubclassOf(typeof(Collector)))
            )
            {
                RuntimeHelpers.RunClassConstructor(type.TypeHandle);
            }
        }
    }

    private static void Trace(TracerProviderBuilder tracing)
    {
        // a caller's trace is continued, but whether it is recorded is not for a stranger to say
        var ours = new TraceIdRatioBasedSampler(Ratio());
        tracing
            .SetSampler(new ParentBasedSampler(ours, remoteParentSampled: ours, remoteParentNotSampled: ours))
            .AddSource("Bellhop", "Bellhop.*")
            .AddAspNetCoreInstrumentation(options => options.Filter = http => !Listeners.IsInternal(http))
            .AddNpgsql();
        if (Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") is { Length: > 0 })
        {
            tracing.AddOtlpExporter();
        }
    }

    private static double Ratio() =>
        double.TryParse(
            Environment.GetEnvironmentVariable("OTEL_TRACES_SAMPLER_ARG"),
            NumberStyles.Float,
            CultureInfo.InvariantCulture,
            out var ratio
        ) && ratio is >= 0 and <= 1
            ? ratio
            : DefaultRatio;
}
