using Bellhop.Infrastructure.Configuration;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Net.Http.Headers;

namespace Bellhop.Infrastructure.Http;

/// <summary>Lets pages of the configured origins, and of no other, call the API with a key of their own (CORS).</summary>
/// <remarks>Off where no origin is configured. Cookies are never sent along.</remarks>
public static class CrossOrigin
{
    private static readonly TimeSpan PreflightAge = TimeSpan.FromMinutes(10);

    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

    private static readonly string[] Exposed =
    [
        RequestIds.Header,
        HeaderNames.ETag,
        HeaderNames.Link,
        HeaderNames.Location,
        HeaderNames.RetryAfter,
        "RateLimit",
        "RateLimit-Policy",
        "Idempotency-Replayed",
    ];

    public static void Use(IApplicationBuilder api, Settings settings)
    {
        // an answer that a cache keeps must not do for another origin, or for none
        api.Use(
            (context, next) =>
            {
                context.Response.OnStarting(() =>
                {
                    var vary = context.Response.Headers.GetCommaSeparatedValues(HeaderNames.Vary);
                    if (!vary.Contains(HeaderNames.Origin, StringComparer.OrdinalIgnoreCase))
                    {
                        context.Response.Headers.AppendCommaSeparatedValues(HeaderNames.Vary, HeaderNames.Origin);
                    }

                    return Task.CompletedTask;
                });
                return next(context);
            }
        );
        api.UseCors(policy => Allow(policy, settings.CorsOrigins));
    }

    private static void Allow(CorsPolicyBuilder policy, IReadOnlyList<string> origins) =>
        policy
            .WithOrigins([.. origins])
            .WithMethods(Methods)
            .AllowAnyHeader() // they are what the API reads, and pages of these origins may send them
            .WithExposedHeaders(Exposed)
            .SetPreflightMaxAge(PreflightAge);
}
