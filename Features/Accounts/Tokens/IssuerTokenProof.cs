using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Proves a caller by a token of an issuer that a project named: it may do what the project said of that issuer.</summary>
/// <remarks>
/// The project is the one that the header <c>Bellhop-Project</c> names, or the only one that takes the token. Signatures are RS256,
/// PS256 or ES256 by a key that the issuer publishes; the type is <c>at+jwt</c> or <c>JWT</c>; audience, issuer and subject are
/// compared to the letter. An issuer that cannot be reached is an outage for tokens of unknown keys only.
/// </remarks>
internal sealed class IssuerTokenProof(KnownIssuers issuers, IssuerKeys keys, AccessTokens own, TimeProvider clock)
    : ICallerProof
{
    private const int MaxSubject = 200;

    private static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256,
        SecurityAlgorithms.RsaSsaPssSha256,
        SecurityAlgorithms.EcdsaSha256,
    ];

    private static readonly string[] Types = [AccessTokens.Type, "JWT"];

    private readonly JsonWebTokenHandler _handler = new()
    {
        MapInboundClaims = false,
        MaximumTokenSizeInBytes = ShownToken.MaxLength,
    };

    public bool IsShown(HttpContext http) =>
        BearerToken.Read(http) is { } text
        && ShownToken.IsLike(text)
        && ShownToken.Of(http)?.Issuer is { } issuer
        && issuer != own.Issuer;

    public async ValueTask<Identity?> ProveAsync(
        HttpContext http,
        bool rememberedOnly,
        CancellationToken cancellationToken
    )
    {
        var shown = ShownToken.Of(http)!;
        var header = http.Request.Headers[ProjectHeader.Name];
        var proven = new List<(KnownIssuer Issuer, string Subject)>();
        foreach (var issuer in await issuers.FindAsync(shown.Issuer!, rememberedOnly, cancellationToken))
        {
            if (
                (header.Count == 0 || (header is [{ } text] && IsMeant(issuer, text)))
                && proven.TrueForAll(other => other.Issuer.ProjectId != issuer.ProjectId)
                && await ValidateAsync(shown, issuer, rememberedOnly, cancellationToken) is { } subject
            )
            {
                proven.Add((issuer, subject));
            }
        }

        return proven switch
        {
            [] => null,
            [var (issuer, subject)] => ToIdentity(issuer, subject),
            [var (issuer, subject), ..] => (ToIdentity(issuer, subject) with { ProjectId = Guid.Empty }).Refused(
                Problems.ProjectRequired.Because(
                    Ambiguous,
                    FieldError.InHeader(ProjectHeader.Name, "required", Ambiguous)
                )
            ),
        };
    }

    private const string Ambiguous = "Name the project, by id or name: several take this token.";

    /// <summary>Its subject; null where it does not hold for the issuer as the project named it.</summary>
    private async ValueTask<string?> ValidateAsync(
        ShownToken shown,
        KnownIssuer issuer,
        bool rememberedOnly,
        CancellationToken cancellationToken
    )
    {
        var key = await keys.FindAsync(issuer.Issuer, issuer.JwksUrl, shown.Kid, rememberedOnly, cancellationToken);
        if (key is null)
        {
            return null;
        }

        var result = await _handler.ValidateTokenAsync(
            shown.Text,
            new TokenValidationParameters
            {
                // a key that says what it is for is for nothing else
                ValidAlgorithms = key.Alg is null ? Algorithms : Algorithms.Where(one => one == key.Alg),
                ValidTypes = Types,
                ValidIssuer = issuer.Issuer,
                ValidAudience = issuer.Audience,
                IgnoreTrailingSlashWhenValidatingAudience = false,
                IssuerSigningKey = key,
                TryAllIssuerSigningKeys = true, // there is one, and a token without an id may be signed by it
                RequireSignedTokens = true,
                RequireExpirationTime = true,
                LifetimeValidator = (notBefore, expires, _, _) =>
                    TokenTimes.Hold(notBefore, expires, clock.GetUtcNow()),
            }
        );
        return
            result.IsValid
            && result.SecurityToken is JsonWebToken token
            && token.TryGetPayloadValue<string>("sub", out var subject)
            && !string.IsNullOrEmpty(subject)
            && (issuer.Subject is null || issuer.Subject == subject)
            ? subject
            : null;
    }

    private static Identity ToIdentity(KnownIssuer issuer, string subject)
    {
        var identity = new Identity(
            issuer.ProjectId,
            $"issuer:{issuer.Name}:{Visible(subject)}",
            Roles.Allow(issuer.Role, issuer.Access.Scopes)
        )
        {
            SubjectId = new Guid(SHA256.HashData(Encoding.UTF8.GetBytes($"{issuer.Id:N}|{subject}"))[..16]),
            Method = ProofMethod.IssuerToken,
            Role = issuer.Role,
            Access = issuer.Access,
        };
        return issuer.IsArchived ? identity.InArchive() : identity;
    }

    private static bool IsMeant(KnownIssuer issuer, string text) =>
        issuer.Project == text || (Guid.TryParseExact(text, "D", out var id) && issuer.ProjectId == id);

    // a name of somebody else's making in our records and logs
    private static string Visible(string subject)
    {
        var text = new StringBuilder(subject.Length > MaxSubject ? subject[..MaxSubject] : subject);
        for (var i = 0; i < text.Length; i++)
        {
            text[i] = text[i] is > ' ' and <= '~' ? text[i] : '?';
        }

        return text.ToString();
    }
}
