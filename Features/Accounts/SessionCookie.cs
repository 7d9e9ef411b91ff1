using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;

namespace Bellhop.Features.Accounts;

/// <summary>The cookie of a session: <c>__Host-bellhop</c>, which a browser takes from this host alone, sends over TLS alone and shows no script.</summary>
internal static class SessionCookie
{
    public const string Name = "__Host-bellhop";

    /// <summary>The header that proves that a page of ours sent the request.</summary>
    public const string CsrfHeader = "X-CSRF-Token";

    private static readonly CookieOptions Options = new()
    {
        Path = "/",
        Secure = true,
        HttpOnly = true,
        SameSite = SameSiteMode.Lax,
        IsEssential = true,
    };

    /// <summary>The session's secret; null: none, or none that was ever given.</summary>
    public static string? Read(HttpContext http) =>
        http.Request.Cookies[Name] is { Length: > 0 and <= 100 } secret ? secret : null;

    public static void Write(HttpContext http, string secret) => http.Response.Cookies.Append(Name, secret, Options);

    public static void Delete(HttpContext http) => http.Response.Cookies.Delete(Name, Options);

    /// <summary>What belongs to the session and cannot be made without its secret: derived, kept nowhere.</summary>
    public static string CsrfTokenOf(string secret) =>
        WebEncoders.Base64UrlEncode(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), "csrf-1"u8));

    /// <summary>Whether the header holds the session's token; takes equally long either way.</summary>
    public static bool HasCsrfToken(HttpContext http, string secret) =>
        http.Request.Headers[CsrfHeader] is [{ } given]
        && CryptographicOperations.FixedTimeEquals(
            Encoding.UTF8.GetBytes(given),
            Encoding.UTF8.GetBytes(CsrfTokenOf(secret))
        );
}
