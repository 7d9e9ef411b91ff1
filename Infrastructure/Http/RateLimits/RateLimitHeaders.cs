using System.Globalization;

namespace Bellhop.Infrastructure.Http.RateLimits;

/// <summary>Tells every limit that applies to an answer: <c>RateLimit-Policy</c> and <c>RateLimit</c> (draft-ietf-httpapi-ratelimit-headers-11).</summary>
internal sealed class RateLimitHeaders
{
    private string _policies = "";
    private string _states = "";

    public static void Add(HttpContext context, RateVerdict verdict)
    {
        if (context.Features.Get<RateLimitHeaders>() is not { } headers)
        {
            headers = new RateLimitHeaders();
            context.Features.Set(headers);
            // at the start of the answer, since the exception handler clears what was set before
            context.Response.OnStarting(headers.WriteAsync, context);
        }

        headers.Add(verdict);
    }

    private void Add(RateVerdict verdict)
    {
        var state = string.Create(
            CultureInfo.InvariantCulture,
            $"\"{verdict.Limiter.Scope}-{verdict.Limiter.Kind}\";r={verdict.Remaining};t={verdict.FullSeconds}"
        );
        _policies = _policies.Length == 0 ? verdict.Limiter.Policy : $"{_policies}, {verdict.Limiter.Policy}";
        _states = _states.Length == 0 ? state : $"{_states}, {state}";
    }

    private Task WriteAsync(object context)
    {
        var headers = ((HttpContext)context).Response.Headers;
        headers["RateLimit-Policy"] = _policies;
        headers["RateLimit"] = _states;
        return Task.CompletedTask;
    }
}
