using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing.Template;

namespace Bellhop.Infrastructure.Http;

/// <summary>What media types a route reads: told with every 415, as <c>Accept-Post</c>, <c>Accept-Patch</c> or <c>Accept</c>.</summary>
internal static class AcceptedTypes
{
    /// <summary>The types the addressed route reads; empty where it does not say.</summary>
    public static IReadOnlyList<string> Of(HttpContext context)
    {
        // the exception handler takes the route away and keeps it here
        var endpoint = context.GetEndpoint() ?? context.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
        // the framework refuses by an endpoint of its own, which has no metadata
        return (Declared(endpoint) ?? Declared(FindRoute(context)))?.ContentTypes ?? [];
    }

    /// <summary>Sets the header that belongs to the method (RFC 5789, W3C LDP 7.1, RFC 9110 section 12.5.1).</summary>
    public static void Tell(HttpContext context)
    {
        if (Of(context) is { Count: > 0 } types)
        {
            var name =
                HttpMethods.IsPost(context.Request.Method) ? "Accept-Post"
                : HttpMethods.IsPatch(context.Request.Method) ? "Accept-Patch"
                : "Accept";
            context.Response.Headers[name] = string.Join(", ", types);
        }
    }

    private static IAcceptsMetadata? Declared(Endpoint? endpoint) => endpoint?.Metadata.GetMetadata<IAcceptsMetadata>();

    private static RouteEndpoint? FindRoute(HttpContext context) =>
        context
            .RequestServices.GetRequiredService<EndpointDataSource>()
            .Endpoints.OfType<RouteEndpoint>()
            .Where(route => Takes(route, context.Request.Method) && Matches(route, context.Request.Path))
            .MinBy(route => route.RoutePattern.InboundPrecedence);

    private static bool Takes(RouteEndpoint route, string method) =>
        route.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Contains(method, StringComparer.OrdinalIgnoreCase)
        == true;

    private static bool Matches(RouteEndpoint route, PathString path) =>
        new TemplateMatcher(new RouteTemplate(route.RoutePattern), []).TryMatch(path, []);
}
