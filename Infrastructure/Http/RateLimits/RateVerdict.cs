using System.Globalization;
using Prometheus;

namespace Bellhop.Infrastructure.Http.RateLimits;

/// <summary>How one request stands with one limit.</summary>
/// <param name="Remaining">Requests that are left at once.</param>
/// <param name="FullSeconds">Until all are left again, rounded up.</param>
/// <param name="WaitSeconds">Until the refused request may be repeated, rounded up.</param>
public readonly record struct RateVerdict(
    RateLimiter Limiter,
    bool IsTaken,
    int Remaining,
    int FullSeconds,
    int WaitSeconds
)
{
    private static readonly Counter Refused = Metrics.CreateCounter(
        "bellhop_rate_limited_total",
        "Requests answered 429, by whose limit it was and what they counted as.",
        "scope",
        "bucket"
    );

    /// <summary>Tells the limit in the answer's headers; answers the problem where the request is one too many.</summary>
    public Problem? Tell(HttpContext context)
    {
        if (Limiter.IsTold)
        {
            RateLimitHeaders.Add(context, this);
        }

        if (IsTaken)
        {
            return null;
        }

        Refused.WithLabels(Limiter.Scope, Limiter.Kind).Inc();
        return Problems.RateLimited.Because(
            string.Create(
                CultureInfo.InvariantCulture,
                $"This {Limiter.Scope} has {Limiter.Limit.Requests} requests in {Limiter.Limit.Seconds} seconds ({Limiter.Kind}); repeat it in {WaitSeconds} s."
            )
        ) with
        {
            RetryAfterSeconds = WaitSeconds,
        };
    }
}
