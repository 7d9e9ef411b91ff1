using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Webhooks;

/// <summary>What an attempt makes of its delivery.</summary>
/// <param name="Error">One of <see cref="OutgoingErrors"/> or of the codes here; null when the receiver took it.</param>
/// <param name="RetryAfter">How long until the next attempt, where there is one.</param>
internal readonly record struct Verdict(string State, string? Error, TimeSpan? RetryAfter)
{
    /// <summary>The receiver answered with a status that is neither 2xx nor a redirect.</summary>
    public const string HttpStatus = "http_status";

    /// <summary>The receiver answered 410: it wants this no more, and no further attempt is made.</summary>
    public const string Gone = "gone";

    /// <summary>The sender went silent during the attempt: whether the receiver got it is unknown.</summary>
    public const string Lost = "lost";

    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromHours(24);

    // reads of deliveries go eight days back
    private static readonly TimeSpan MaxAge = TimeSpan.FromDays(7);

    /// <summary>2xx is success and nothing else is. A receiver's Retry-After lengthens the policy's delay, to 24 h at most.</summary>
    /// <param name="age">How old the delivery is; after seven days no further attempt is made.</param>
    /// <param name="random">0 ≤ r &lt; 1, for the jitter.</param>
    public static Verdict Of(OutgoingResponse response, int attempt, TimeSpan age, RetryPolicy policy, double random)
    {
        if (response.IsSuccessStatus)
        {
            return new Verdict(DeliveryState.Succeeded, null, null);
        }

        var error = ErrorOf(response);
        var delay = policy.DelayAfter(attempt, random);
        if (response.RetryAfterSeconds is { } seconds)
        {
            var asked = TimeSpan.FromSeconds(seconds);
            asked = asked < MaxRetryAfter ? asked : MaxRetryAfter;
            delay = delay > asked ? delay : asked;
        }

        return error == Gone || attempt >= policy.MaxAttempts || age + delay > MaxAge
            ? new Verdict(DeliveryState.Failed, error, null)
            : new Verdict(DeliveryState.Pending, error, delay);
    }

    private static string ErrorOf(OutgoingResponse response) =>
        response.Status switch
        {
            null => response.ErrorCode ?? OutgoingErrors.ConnectionLost,
            (int)HttpStatusCode.Gone => Gone,
            >= 300 and <= 399 => OutgoingErrors.RedirectNotFollowed,
            _ => HttpStatus,
        };
}
