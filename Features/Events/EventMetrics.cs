using Prometheus;

namespace Bellhop.Features.Events;

/// <summary>What is counted of events that come in.</summary>
internal static class EventMetrics
{
    /// <summary>Events that were stored, by the way they came: <c>single</c>, <c>batch</c>, <c>webhook</c>.</summary>
    public static readonly Counter Received = Metrics.CreateCounter(
        "bellhop_events_received_total",
        "Events stored, by the way they came in.",
        "via"
    );
}
