using System.Text.Json;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs;

/// <summary>When a failed attempt is tried again. The same words wherever something is retried.</summary>
/// <param name="MaxAttempts">1–1000, the first one counted.</param>
/// <param name="Strategy"><c>exponential</c> (doubles), <c>linear</c> (adds) or <c>list</c> (as written, the last one repeats).</param>
/// <param name="InitialSeconds">Delay before the second attempt.</param>
/// <param name="MaxSeconds">No delay is longer.</param>
/// <param name="DelaysSeconds">For <c>list</c>: the delay before the second attempt, the third, …</param>
/// <param name="Jitter">Each delay is changed at random by up to this part of it, 0–1.</param>
public sealed record RetryPolicy(
    int MaxAttempts = 20,
    string Strategy = "exponential",
    double InitialSeconds = 1,
    double MaxSeconds = 3600,
    IReadOnlyList<double>? DelaysSeconds = null,
    double Jitter = 0.2
)
{
    public static readonly RetryPolicy Default = new();

    public string ToJson() => JsonSerializer.Serialize(this, JsonRules.Options);

    /// <summary>The wait after the given attempt failed.</summary>
    /// <param name="attempt">1 for the first.</param>
    /// <param name="random">0 ≤ r &lt; 1: where in the jitter's range the delay falls.</param>
    public TimeSpan DelayAfter(int attempt, double random)
    {
        var seconds = Strategy switch
        {
            "list" when DelaysSeconds is { Count: > 0 } => DelaysSeconds[
                Math.Min(attempt - 1, DelaysSeconds.Count - 1)
            ],
            "linear" => InitialSeconds * attempt,
            _ => InitialSeconds * Math.Pow(2, Math.Min(attempt - 1, 62)),
        };
        var bounded = Math.Min(seconds, MaxSeconds);
        return TimeSpan.FromSeconds(bounded * (1 + (Jitter * ((2 * random) - 1))));
    }
}
