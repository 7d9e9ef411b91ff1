using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Diagnostics;
using Prometheus;

namespace Bellhop.Infrastructure.Http;

/// <summary>One line and one observation a request. Probes and scrapes that went well leave no line.</summary>
public sealed partial class RequestLog(RequestDelegate next, TimeProvider clock, ILogger<RequestLog> logger)
{
    private static readonly Histogram Duration = Metrics.CreateHistogram(
        "bellhop_http_request_duration_seconds",
        "Time from the first byte read to the last byte written, by route.",
        ["code", "method", "endpoint"],
        new HistogramConfiguration { Buckets = [.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10] }
    );

    private static readonly string[] Methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

    public async Task InvokeAsync(HttpContext http)
    {
        var started = clock.GetTimestamp();
        try
        {
            await next(http);
        }
        finally
        {
            Note(http, clock.GetElapsedTime(started).TotalSeconds);
        }
    }

    private void Note(HttpContext http, double seconds)
    {
        // the exception handler takes the route away and keeps it here
        var endpoint = http.GetEndpoint() ?? http.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
        var route = (endpoint as RouteEndpoint)?.RoutePattern.RawText ?? "none";
        var method = Methods.Contains(http.Request.Method) ? http.Request.Method : "other";
        var status = http.Response.StatusCode;
        // a parameter called token is a credential
        var path = route.Contains("{token}", StringComparison.Ordinal) ? route : (string?)http.Request.Path;
        Activity.Current?.SetTag("url.path", path);
        Duration.WithLabels(status.ToString(CultureInfo.InvariantCulture), method, route).Observe(seconds);
        if (status >= 500 || !IsProbe(route))
        {
            RequestEnded(
                logger,
                method,
                path,
                status,
                Math.Round(seconds * 1000, 1),
                route,
                http.TraceIdentifier,
                http.Connection.RemoteIpAddress?.ToString()
            );
        }
    }

    private static bool IsProbe(string route) =>
        route.StartsWith("/health", StringComparison.Ordinal) || route == "/metrics";

    [LoggerMessage(LogLevel.Information, "{Method} {Path} {Status} in {DurationMs} ms ({Route}) {RequestId} {Client}")]
    private static partial void RequestEnded(
        ILogger logger,
        string method,
        string? path,
        int status,
        double durationMs,
        string route,
        string requestId,
        string? client
    );
}
