using System.Globalization;
using Prometheus;

namespace Bellhop.Infrastructure.Http;

/// <summary>The route is on its way out: since when, when it goes, where to read what to use instead.</summary>
/// <remarks>
/// Every answer of the route carries <c>Deprecation</c> (RFC 9745), <c>Sunset</c> (RFC 8594) and a <c>Link</c> of the relation
/// <c>deprecation</c>; whether anybody still calls it is counted by operation.
/// </remarks>
public sealed record Deprecation(DateTimeOffset Since, DateTimeOffset? Sunset, Uri? Link)
{
    private static readonly Counter Requests = Metrics.CreateCounter(
        "bellhop_deprecated_requests_total",
        "Requests to operations that are on their way out.",
        "operation"
    );

    internal void Announce(HttpContext context)
    {
        Requests
            .WithLabels(context.GetEndpoint()?.Metadata.GetMetadata<IEndpointNameMetadata>()?.EndpointName ?? "")
            .Inc();
        // at the start of the answer, since the exception handler clears what was set before
        context.Response.OnStarting(() =>
        {
            var headers = context.Response.Headers;
            headers["Deprecation"] = string.Create(CultureInfo.InvariantCulture, $"@{Since.ToUnixTimeSeconds()}");
            if (Sunset is { } sunset)
            {
                headers["Sunset"] = sunset.ToString("R", CultureInfo.InvariantCulture);
            }

            if (Link is not null)
            {
                headers.Append("Link", $"<{Link.AbsoluteUri}>; rel=\"deprecation\"; type=\"text/html\"");
            }

            return Task.CompletedTask;
        });
    }
}

public static class Deprecations
{
    /// <summary>Announces that the route will go: <paramref name="since"/> it is deprecated, at <paramref name="sunset"/> it may stop answering.</summary>
    /// <param name="link">A page that says what to use instead.</param>
    public static TBuilder Deprecated<TBuilder>(
        this TBuilder builder,
        DateTimeOffset since,
        DateTimeOffset? sunset = null,
        Uri? link = null
    )
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new Deprecation(since, sunset, link));
}
