using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;

namespace Bellhop.Features.Sources;

/// <summary>Counts inbound webhooks before their bodies are read: those of a source for it, those of nobody's for where they come from.</summary>
/// <remarks>
/// Whoever guesses paths gets 429 for paths that were never found, without a look-up; the paths of sources that are known go on
/// working from the same address, since senders share theirs.
/// </remarks>
internal sealed class InboundGate(SourceCache sources, RateLimiters limiters) : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var token = (string)http.GetRouteValue("token")!;
        var sender = RateSubject.Of(http);
        var source = sources.Remember(token);
        if (source is null && limiters.Inbound?.IsExhausted(sender) != true)
        {
            source = await sources.FindAsync(token, http.RequestAborted);
        }

        if (limiters.Inbound?.Take(source is null ? sender : RateSubject.Of(source.Id)).Tell(http) is { } tooMany)
        {
            return new ProblemResponse(tooMany);
        }

        return source is null ? new ProblemResponse(SourcesProblems.NoSource) : await next(context);
    }
}
