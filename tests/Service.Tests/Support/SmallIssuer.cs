using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>A small OpenID provider on loopback: discovery, keys, authorization code with PKCE, user info.</summary>
/// <remarks>It says of the user what the test set, and holds clients to the protocol: redirect, secret, verifier, each code once.</remarks>
public sealed class SmallIssuer : IAsyncDisposable
{
    public const string ClientId = "bellhop";
    public const string ClientSecret = "a-client-secret-of-the-tests";

    private readonly ConcurrentDictionary<string, IQueryCollection> _codes = new(StringComparer.Ordinal);
    private readonly RsaSecurityKey _key = new(RSA.Create(2048)) { KeyId = "k1" };
    private readonly WebApplication _app;

    private SmallIssuer(WebApplication app) => _app = app;

    public string Url { get; private set; } = "";

    public string Subject { get; set; } = $"{Guid.NewGuid():N}";

    public string? Email { get; set; }

    public bool IsEmailVerified { get; set; } = true;

    /// <summary>Changes what the ID token says.</summary>
    public Action<Dictionary<string, object>>? Bend { get; set; }

    /// <summary>Signs ID tokens in place of its own key.</summary>
    public SigningCredentials? Signs { get; set; }

    public static async Task<SmallIssuer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        var issuer = new SmallIssuer(app);
        app.MapGet("/.well-known/openid-configuration", issuer.Discover);
        app.MapGet("/keys", issuer.Keys);
        app.MapGet("/authorize", issuer.Authorize);
        app.MapPost("/token", issuer.ExchangeAsync);
        app.MapGet("/me", issuer.Claims);
        await app.StartAsync(TestContext.Current.CancellationToken);
        issuer.Url = app
            .Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!
            .Addresses.Single();
        return issuer;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private IResult Discover() =>
        Results.Json(
            new Dictionary<string, object>
            {
                ["issuer"] = Url,
                ["authorization_endpoint"] = $"{Url}/authorize",
                ["token_endpoint"] = $"{Url}/token",
                ["userinfo_endpoint"] = $"{Url}/me",
                ["jwks_uri"] = $"{Url}/keys",
                ["response_types_supported"] = new[] { "code" },
                ["id_token_signing_alg_values_supported"] = new[] { "RS256" },
            }
        );

    private IResult Keys()
    {
        var key = JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(_key.Rsa.ExportParameters(false)));
        return Results.Json(
            new
            {
                keys = new[]
                {
                    new
                    {
                        kty = "RSA",
                        use = "sig",
                        alg = "RS256",
                        kid = _key.KeyId,
                        n = key.N,
                        e = key.E,
                    },
                },
            }
        );
    }

    private IResult Authorize(HttpRequest request)
    {
        Assert.Equal("S256", request.Query["code_challenge_method"]);
        Assert.Equal(ClientId, request.Query["client_id"]);
        Assert.Equal("code", request.Query["response_type"]);
        var code = $"{Guid.NewGuid():N}";
        _codes[code] = request.Query;
        return Results.Redirect(
            QueryHelpers.AddQueryString(
                request.Query["redirect_uri"]!,
                new Dictionary<string, string?> { ["code"] = code, ["state"] = request.Query["state"] }
            )
        );
    }

    private async Task<IResult> ExchangeAsync(HttpRequest request)
    {
        var form = await request.ReadFormAsync();
        if (
            !_codes.TryRemove($"{form["code"]}", out var asked)
            || form["redirect_uri"] != asked["redirect_uri"]
            || form["client_secret"] != ClientSecret
            || WebEncoders.Base64UrlEncode(SHA256.HashData(Encoding.ASCII.GetBytes($"{form["code_verifier"]}")))
                != asked["code_challenge"]
        )
        {
            return Results.Json(new { error = "invalid_grant" }, statusCode: 400);
        }

        return Results.Json(
            new
            {
                access_token = "an-access-token-of-the-issuer",
                token_type = "Bearer",
                expires_in = 60,
                id_token = IdToken(asked["nonce"]!),
            }
        );
    }

    private string IdToken(string nonce)
    {
        var claims = new Dictionary<string, object>
        {
            ["iss"] = Url,
            ["aud"] = ClientId,
            ["sub"] = Subject,
            ["nonce"] = nonce,
        };
        Bend?.Invoke(claims);
        return new JsonWebTokenHandler().CreateToken(
            new SecurityTokenDescriptor
            {
                Claims = claims,
                Expires = DateTime.UtcNow.AddMinutes(5),
                SigningCredentials = Signs ?? new SigningCredentials(_key, SecurityAlgorithms.RsaSha256),
            }
        );
    }

    private IResult Claims() =>
        Results.Text(
            JsonSerializer.Serialize(
                new Dictionary<string, object?>
                {
                    ["sub"] = Subject,
                    ["email"] = Email,
                    ["email_verified"] = IsEmailVerified,
                }
            ),
            "application/json"
        );
}
