using Bellhop.Infrastructure.Auth;

namespace Bellhop.Infrastructure.Http.RateLimits;

/// <summary>Counts every request to the API for its address, and, once its caller is proven, for the key and the project.</summary>
/// <remarks>
/// Who is not proven is counted for the address alone: nobody can use up what belongs to somebody else's key or project. The
/// internal port and the probes are not counted.
/// </remarks>
public static class RateLimiting
{
    public static Task UseForAddressesAsync(HttpContext context, RequestDelegate next)
    {
        var limiter = IsCounted(context) ? Limiters(context).Address(RateBuckets.Of(context)) : null;
        return limiter?.Take(RateSubject.Of(context)).Tell(context) is { } tooMany
            ? new ProblemResponse(tooMany).ExecuteAsync(context)
            : next(context);
    }

    public static Task UseForCallersAsync(HttpContext context, RequestDelegate next)
    {
        var caller = context.RequestServices.GetRequiredService<Caller>();
        if (!IsCounted(context) || !caller.IsKnown)
        {
            return next(context);
        }

        var limiters = Limiters(context);
        var bucket = RateBuckets.Of(context);
        var key = caller.KeyId is { } id ? limiters.Key(bucket)?.Take(RateSubject.Of(id)) : null;
        var tooMany = key?.Tell(context);
        tooMany ??= limiters.Project(bucket)?.Take(RateSubject.Of(caller.ProjectId)).Tell(context);
        return tooMany is null ? next(context) : new ProblemResponse(tooMany).ExecuteAsync(context);
    }

    private static RateLimiters Limiters(HttpContext context) =>
        context.RequestServices.GetRequiredService<RateLimiters>();

    private static bool IsCounted(HttpContext context) =>
        !Listeners.IsInternal(context) && context.GetEndpoint()?.Metadata.GetMetadata<Door>() is not { Internal: true };
}
