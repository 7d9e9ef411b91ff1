using Prometheus;

namespace Bellhop.Features.Automations;

/// <summary>What is counted of runs.</summary>
internal static class RunMetrics
{
    private static readonly Counter Finished = Metrics.CreateCounter(
        "bellhop_runs_finished_total",
        "Runs that came to an end or are held, by state.",
        "state"
    );

    private static readonly Histogram Seconds = Metrics.CreateHistogram(
        "bellhop_run_seconds",
        "From the event that started a run until the run ended, waits included.",
        new HistogramConfiguration { Buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600, 86400] }
    );

    public static void CountFinished(string state, TimeSpan elapsed)
    {
        Finished.WithLabels(state).Inc();
        Seconds.Observe(elapsed.TotalSeconds);
    }

    /// <summary>Held before it began, or after its carrier gave up.</summary>
    public static void CountHeld(int count) => Finished.WithLabels(RunState.Held).Inc(count);
}
