namespace Bellhop.Infrastructure.Configuration;

/// <summary>The identity provider by which users may sign in.</summary>
/// <param name="Authority">Its issuer: where <c>/.well-known/openid-configuration</c> is found.</param>
/// <param name="ClientSecret">Null: a public client, which PKCE alone proves.</param>
public sealed record OidcSettings(string Authority, string ClientId, string? ClientSecret)
{
    public override string ToString() => Authority;
}
