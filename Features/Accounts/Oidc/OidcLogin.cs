using System.Text.Encodings.Web;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Bellhop.Features.Accounts.Oidc;

/// <summary>Sign-in by an identity provider: OpenID Connect Core 1.0, authorization code with PKCE (RFC 7636).</summary>
/// <remarks>
/// ASP.NET's handler does the protocol: state, nonce, correlation, the exchange of the code and the checks of the ID token. What
/// it fetches goes out as all else does, and what it hands to the browser is sealed by the key ring.
/// </remarks>
internal static class OidcLogin
{
    public const string Scheme = "oidc";
    public const string CallbackPath = "/v1/auth/oidc/callback";

    /// <summary>Where a browser goes when nothing else was asked for.</summary>
    public const string DefaultReturn = "/v1/auth/me";

    private const long MaxBytes = 1024 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    // as in tokens of issuers: none that a public key could be mistaken in
    private static readonly string[] Algorithms = ["ES256", "ES384", "PS256", "RS256"];

    public static IServiceCollection AddOidcLogin(this IServiceCollection services, Settings settings)
    {
        if (settings.Oidc is not { } oidc)
        {
            return services;
        }

        services.TryAddSingleton(HtmlEncoder.Default);
        services.TryAddSingleton(UrlEncoder.Default);
        services.AddSingleton<IDataProtectionProvider, RingProtection>();
        services.AddTransient<OpenIdConnectHandler>();
        services.AddSingleton<IPostConfigureOptions<OpenIdConnectOptions>, OpenIdConnectPostConfigureOptions>();
        services.Configure<AuthenticationOptions>(options =>
            options.AddScheme<OpenIdConnectHandler>(Scheme, displayName: null)
        );
        services
            .AddOptions<OpenIdConnectOptions>(Scheme)
            .Configure<OutgoingClient, TimeProvider>(
                (options, outgoing, clock) => Configure(options, oidc, settings.PublicUrl, outgoing, clock)
            );
        return services;
    }

    private static void Configure(
        OpenIdConnectOptions options,
        OidcSettings oidc,
        string? publicUrl,
        OutgoingClient outgoing,
        TimeProvider clock
    )
    {
        options.TimeProvider = clock;
        options.Authority = oidc.Authority;
        options.ClientId = oidc.ClientId;
        options.ClientSecret = oidc.ClientSecret;
        options.CallbackPath = CallbackPath;
        options.RequireHttpsMetadata = false; // where plain http may be spoken the address policy decides
        options.Backchannel = outgoing.ForLibrary(Patience);
        options.Backchannel.MaxResponseContentBufferSize = MaxBytes;
        options.ResponseType = OpenIdConnectResponseType.Code;
        options.ResponseMode = OpenIdConnectResponseMode.Query;
        options.UsePkce = true;
        options.MapInboundClaims = false;
        options.GetClaimsFromUserInfoEndpoint = true; // some tell the address only there
        options.ClaimActions.Clear();
        options.ClaimActions.MapUniqueJsonKey("email", "email");
        options.ClaimActions.MapUniqueJsonKey("email_verified", "email_verified");
        options.Scope.Clear();
        options.Scope.Add("openid");
        options.Scope.Add("email");
        options.TokenValidationParameters.ValidAlgorithms = Algorithms;
        options.TokenValidationParameters.ClockSkew = TimeSpan.FromSeconds(30);
        options.TokenValidationParameters.NameClaimType = "email";
        options.CorrelationCookie.Name = "__Secure-bellhop-oidc.";
        options.NonceCookie.Name = "__Secure-bellhop-nonce.";
        foreach (var cookie in new[] { options.CorrelationCookie, options.NonceCookie })
        {
            cookie.SameSite = SameSiteMode.Lax; // the provider sends the browser back by a link
            cookie.SecurePolicy = CookieSecurePolicy.Always;
        }

        options.Events.OnRedirectToIdentityProvider = context =>
        {
            if (publicUrl is not null)
            {
                context.ProtocolMessage.RedirectUri = publicUrl + CallbackPath;
            }

            return Task.CompletedTask;
        };
        options.Events.OnTicketReceived = Remember;
        options.Events.OnRemoteFailure = context =>
        {
            context.HandleResponse();
            return new ProblemResponse(
                AccountsProblems.ProviderFailed.Because("The sign-in did not come to its end; begin it again.")
            ).ExecuteAsync(context.HttpContext);
        };
    }

    /// <summary>Who the provider says came back with this request; null: it is no such request.</summary>
    public static ProvenByProvider? Proven(HttpContext http) => http.Items[typeof(OidcLogin)] as ProvenByProvider;

    // the route behind the scheme decides what it is worth
    private static Task Remember(TicketReceivedContext context)
    {
        var claims = context.Principal!;
        var subject = claims.FindFirst("sub");
        context.HttpContext.Items[typeof(OidcLogin)] = new ProvenByProvider(
            subject?.Issuer ?? "",
            subject?.Value ?? "",
            claims.FindFirst("email")?.Value,
            bool.TryParse(claims.FindFirst("email_verified")?.Value, out var isVerified) && isVerified,
            context.ReturnUri ?? DefaultReturn
        );
        context.SkipHandler();
        return Task.CompletedTask;
    }
}

/// <summary>A user as the identity provider tells of him.</summary>
/// <param name="Issuer">Who says it.</param>
/// <param name="Subject">What the issuer calls the user, for ever.</param>
/// <param name="ReturnTo">Where the browser was to go.</param>
internal sealed record ProvenByProvider(
    string Issuer,
    string Subject,
    string? Email,
    bool IsEmailVerified,
    string ReturnTo
);
