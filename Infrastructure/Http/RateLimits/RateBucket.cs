namespace Bellhop.Infrastructure.Http.RateLimits;

/// <summary>What a request counts as: each kind has a budget of its own.</summary>
public enum RateBucket
{
    /// <summary>GET and HEAD, where the route says nothing.</summary>
    Reads,

    /// <summary>Every other method, where the route says nothing.</summary>
    Writes,

    /// <summary>Many things with one request.</summary>
    Bulk,

    /// <summary>Proving who one is.</summary>
    Auth,

    /// <summary>What a worker says of jobs: a beat that is refused costs a lease, whatever else its key writes.</summary>
    Work,
}

/// <summary>The bucket of a route.</summary>
public sealed record InBucket(RateBucket Bucket);

public static class RateBuckets
{
    public static TBuilder InBucket<TBuilder>(this TBuilder builder, RateBucket bucket)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new InBucket(bucket));

    internal static RateBucket Of(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<InBucket>()?.Bucket
        ?? (HttpMethods.IsGet(context.Request.Method) ? RateBucket.Reads : RateBucket.Writes);
}
