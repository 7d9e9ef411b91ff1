using Prometheus;

namespace Bellhop.Features.Sources;

/// <summary>What is counted of webhooks that come in.</summary>
internal static class InboundMetrics
{
    /// <summary>Webhooks for known sources, by scheme and outcome: <c>accepted</c>, <c>duplicate</c>, or why it was refused.</summary>
    public static readonly Counter Received = Metrics.CreateCounter(
        "bellhop_webhooks_received_total",
        "Webhooks that came in, by scheme and outcome.",
        "scheme",
        "outcome"
    );
}
