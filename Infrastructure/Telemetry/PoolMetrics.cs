using System.Diagnostics.Metrics;
using Prometheus;

namespace Bellhop.Infrastructure.Telemetry;

/// <summary>How many database connections each pool has open, read from the driver when somebody scrapes.</summary>
public static class PoolMetrics
{
    private const string Instrument = "db.client.connection.count";

    private static readonly Gauge Connections = Prometheus.Metrics.CreateGauge(
        "bellhop_db_pool_connections",
        "Open database connections by pool and state.",
        ["pool", "state"]
    );

    // kept for as long as the process lives
    private static readonly Lazy<MeterListener> Listener = new(Listen);

    /// <summary>Begins to measure; once in a process, however often it is called.</summary>
    public static void Start() => _ = Listener.Value;

    private static MeterListener Listen()
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == "Npgsql" && instrument.Name == Instrument)
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<int>((_, count, tags, _) => Set(count, tags));
        listener.SetMeasurementEventCallback<long>((_, count, tags, _) => Set(count, tags));
        listener.Start();
        Prometheus.Metrics.DefaultRegistry.AddBeforeCollectCallback(listener.RecordObservableInstruments);
        return listener;
    }

    private static void Set(long count, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var (pool, state) = ("", "");
        foreach (var (name, value) in tags)
        {
            pool = name.EndsWith("pool.name", StringComparison.Ordinal) ? $"{value}" : pool;
            state = name.EndsWith("state", StringComparison.Ordinal) ? $"{value}" : state;
        }

        if (pool.StartsWith("bellhop", StringComparison.Ordinal))
        {
            Connections.WithLabels(pool, state).Set(count);
        }
    }
}
