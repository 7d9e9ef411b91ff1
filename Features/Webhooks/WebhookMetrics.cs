using Prometheus;

namespace Bellhop.Features.Webhooks;

internal static class WebhookMetrics
{
    public static readonly Gauge Endpoints = Metrics.CreateGauge(
        "bellhop_webhook_endpoints",
        "Webhook endpoints of all projects.",
        "state"
    );

    private static readonly Counter Attempts = Metrics.CreateCounter(
        "bellhop_webhook_attempts_total",
        "Attempts to deliver that ended, by succeeded or the code of the error.",
        "outcome"
    );

    private static readonly Histogram Seconds = Metrics.CreateHistogram(
        "bellhop_webhook_attempt_seconds",
        "From the start of an attempt to the end of the receiver's answer.",
        new HistogramConfiguration { Buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15] }
    );

    public static void Count(Attempt attempt)
    {
        Attempts.WithLabels(attempt.Verdict.Error ?? DeliveryState.Succeeded).Inc();
        Seconds.Observe(attempt.Duration.TotalSeconds);
    }

    public static void CountLost(int attempts) => Attempts.WithLabels(Verdict.Lost).Inc(attempts);
}
