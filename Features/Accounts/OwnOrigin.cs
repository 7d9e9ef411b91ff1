using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

/// <summary>Tells requests of our own pages from those of other sites, by what browsers say and pages cannot change.</summary>
internal static class OwnOrigin
{
    /// <summary>403: another site may have sent the request.</summary>
    public static Problem Refusal { get; } =
        Problems.Csrf.Because(
            "Send the session's csrf_token, as /v1/auth/me shows it, as X-CSRF-Token; or send it from a page of this origin."
        );

    /// <summary>The browser says that a page of this very origin sent it.</summary>
    public static bool IsProven(HttpContext http, Settings settings) =>
        http.Request.Headers["Sec-Fetch-Site"] is ["same-origin"]
        && http.Request.Headers.Origin is [{ } origin]
        && IsOurs(origin, http, settings);

    /// <summary>The browser says that another site did. A program that is no browser says nothing.</summary>
    public static bool IsForeign(HttpContext http, Settings settings) =>
        http.Request.Headers["Sec-Fetch-Site"] is not ([] or ["same-origin"] or ["none"])
        || (
            http.Request.Headers.Origin is { Count: > 0 } origins
            && !(origins is [{ } origin] && IsOurs(origin, http, settings))
        );

    // behind a proxy that is not trusted the scheme is not known: the host is, and the browser looked at both
    private static bool IsOurs(string origin, HttpContext http, Settings settings) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var url)
        && url.Scheme is "http" or "https"
        && (
            settings.PublicUrl is { } own && new Uri(own).GetLeftPart(UriPartial.Authority) == origin
            || string.Equals(url.Authority, Bare(http.Request), StringComparison.OrdinalIgnoreCase)
        );

    private static string Bare(HttpRequest request) =>
        request.Host.Port is 80 or 443 ? request.Host.Host : request.Host.Value ?? "";
}
