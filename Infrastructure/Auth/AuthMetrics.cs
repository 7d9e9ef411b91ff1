using Prometheus;

namespace Bellhop.Infrastructure.Auth;

/// <summary>Counts the requests that were turned away for who sent them.</summary>
public static class AuthMetrics
{
    private static readonly Counter Failures = Metrics.CreateCounter(
        "bellhop_auth_failures_total",
        "Requests refused for want of a key (missing), with a key that is not valid (invalid), or of one that lacks the permission (forbidden).",
        "reason"
    );

    /// <summary>401: nothing was sent that could prove who calls.</summary>
    public static Counter.Child Missing { get; } = Failures.WithLabels("missing");

    /// <summary>401: what was sent proves nothing.</summary>
    public static Counter.Child Invalid { get; } = Failures.WithLabels("invalid");

    /// <summary>403.</summary>
    public static Counter.Child Forbidden { get; } = Failures.WithLabels("forbidden");
}
