namespace Bellhop.Infrastructure.Http;

/// <summary>Which door a route is behind; the API's where nothing is said.</summary>
public sealed record Door(bool Api, bool Internal);

public static class Doors
{
    private static readonly Door ApiOnly = new(Api: true, Internal: false);
    private static readonly Door InternalOnly = new(Api: false, Internal: true);
    private static readonly Door Both = new(Api: true, Internal: true);

    /// <summary>The route exists on the internal port only.</summary>
    public static TBuilder OnInternalPort<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(InternalOnly);

    /// <summary>The route exists on both ports.</summary>
    public static TBuilder OnBothPorts<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(Both);

    /// <summary>Answers for routes that do not exist, or not behind this door, before anyone is asked who they are.</summary>
    public static Task UseAsync(HttpContext http, RequestDelegate next)
    {
        var endpoint = http.GetEndpoint();
        var door = endpoint?.Metadata.GetMetadata<Door>() ?? ApiOnly;
        if (endpoint is null || !(Listeners.IsInternal(http) ? door.Internal : door.Api))
        {
            http.SetEndpoint(null);
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        }

        return endpoint is RouteEndpoint ? next(http) : endpoint.RequestDelegate!(http); // the framework's own 405 and 415
    }
}
