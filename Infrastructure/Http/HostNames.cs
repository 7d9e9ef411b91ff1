using Bellhop.Infrastructure.Configuration;
using Microsoft.Extensions.Primitives;

namespace Bellhop.Infrastructure.Http;

/// <summary>Answers only to the names that are configured: a request for another host is 400.</summary>
/// <remarks>Probes and Prometheus ask by address: the internal port and <c>/health</c> answer to any name.</remarks>
public static class HostNames
{
    public static void Use(IApplicationBuilder app, Settings settings)
    {
        StringSegment[] allowed = [.. settings.AllowedHosts.Select(name => new StringSegment(name))];
        app.Use(
            (context, next) =>
                Listeners.IsInternal(context)
                || context.Request.Path.StartsWithSegments("/health")
                || HostString.MatchesAny(context.Request.Host.Host, allowed)
                    ? next(context)
                    : RefuseAsync(context)
        );
    }

    private static Task RefuseAsync(HttpContext context)
    {
        const string Message = "This is not the name of a host that answers here.";
        return new ProblemResponse(
            Problems.MalformedRequest.Because(Message, FieldError.InHeader("Host", "unknown_host", Message))
        ).ExecuteAsync(context);
    }
}
