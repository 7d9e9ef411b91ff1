namespace Bellhop.Infrastructure.Auth;

/// <summary>What stands behind <c>Authorization: Bearer</c> (RFC 6750 section 2.1); the only place a key or token is looked for.</summary>
public static class BearerToken
{
    private const string Scheme = "Bearer ";

    /// <summary>Null: none, or several.</summary>
    public static string? Read(HttpContext http) =>
        http.Request.Headers.Authorization is [{ } header]
        && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? header[Scheme.Length..].Trim()
            : null;
}
