using Bellhop.Infrastructure.Configuration;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Whom an access token speaks for.</summary>
/// <param name="UserId">The user; null where it is a key.</param>
/// <param name="KeyId">The API key that it was got for.</param>
/// <param name="FamilyId">What came of one login.</param>
/// <param name="Epoch">The user's, when it was signed.</param>
/// <param name="Mark">That of the key, when it was signed.</param>
internal sealed record AccessClaims(Guid? UserId, Guid? KeyId, Guid? FamilyId, int? Epoch, string? Mark);

/// <summary>Signs access tokens and reads them: JSON Web Tokens of the type <c>at+jwt</c> (RFC 9068), ES256, for ten minutes.</summary>
/// <remarks>
/// Neither role nor project stands in one: both are looked up for each request, so that what is taken from somebody is gone
/// within seconds.
/// </remarks>
internal sealed class AccessTokens(SigningKeys keys, Settings settings, TimeProvider clock)
{
    public const string Type = "at+jwt";
    public const string Audience = "bellhop";

    private const string KeyPrefix = "key:";

    // what it is configured with is never changed, and then it is safe for all
    private readonly JsonWebTokenHandler _handler = new()
    {
        MapInboundClaims = false,
        SetDefaultTimesOnTokenCreation = false,
        MaximumTokenSizeInBytes = ShownToken.MaxLength,
    };

    /// <summary>Who signs them.</summary>
    public string Issuer => settings.PublicUrl ?? "bellhop";

    /// <param name="notAfter">When what it comes of ends.</param>
    public Task<IssuedToken> OfUserAsync(
        Guid userId,
        Guid familyId,
        int epoch,
        DateTimeOffset notAfter,
        CancellationToken cancellationToken
    ) =>
        SignAsync(
            $"{userId}",
            notAfter,
            new Dictionary<string, object>
            {
                ["method"] = "password",
                ["sid"] = $"{familyId}",
                ["epoch"] = epoch,
            },
            cancellationToken
        );

    public Task<IssuedToken> OfKeyAsync(Guid keyId, string mark, CancellationToken cancellationToken) =>
        SignAsync(
            $"{KeyPrefix}{keyId}",
            DateTimeOffset.MaxValue,
            new Dictionary<string, object> { ["method"] = "api_key", ["mark"] = mark },
            cancellationToken
        );

    /// <summary>Whom it speaks for; null where it is not one that was signed here and holds now.</summary>
    public async ValueTask<AccessClaims?> ReadAsync(
        ShownToken shown,
        bool rememberedOnly,
        CancellationToken cancellationToken
    )
    {
        if (
            shown.Kid is not { } kid
            || await keys.FindAsync(kid, rememberedOnly, cancellationToken) is not { } key
            || await ValidateAsync(shown.Text, key) is not { } token
        )
        {
            return null;
        }

        // what was signed here is sound; what is not must not be an outage all the same
        if (token.Subject.StartsWith(KeyPrefix, StringComparison.Ordinal))
        {
            return
                Guid.TryParseExact(token.Subject[KeyPrefix.Length..], "D", out var keyId)
                && token.TryGetPayloadValue<string>("mark", out var mark)
                ? new AccessClaims(null, keyId, null, null, mark)
                : null;
        }

        return
            Guid.TryParseExact(token.Subject, "D", out var userId)
            && token.TryGetPayloadValue<string>("sid", out var sid)
            && Guid.TryParseExact(sid, "D", out var familyId)
            && token.TryGetPayloadValue<int>("epoch", out var epoch)
            ? new AccessClaims(userId, null, familyId, epoch, null)
            : null;
    }

    private async Task<IssuedToken> SignAsync(
        string subject,
        DateTimeOffset notAfter,
        Dictionary<string, object> claims,
        CancellationToken cancellationToken
    )
    {
        var key = await keys.CurrentAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var expires = now + TokenLife.Access < notAfter ? now + TokenLife.Access : notAfter;
        claims["sub"] = subject;
        claims["jti"] = $"{Guid.CreateVersion7(now)}";
        var text = _handler.CreateToken(
            new SecurityTokenDescriptor
            {
                TokenType = Type,
                Issuer = Issuer,
                Audience = Audience,
                IssuedAt = now.UtcDateTime,
                NotBefore = now.UtcDateTime,
                Expires = expires.UtcDateTime,
                Claims = claims,
                SigningCredentials = key.Signs,
            }
        );
        return new IssuedToken(text, (int)Math.Max(0, (expires - now).TotalSeconds));
    }

    private async Task<JsonWebToken?> ValidateAsync(string text, SigningKey key)
    {
        var result = await _handler.ValidateTokenAsync(
            text,
            new TokenValidationParameters
            {
                ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256],
                ValidTypes = [Type],
                ValidIssuer = Issuer,
                ValidAudience = Audience,
                IssuerSigningKey = key.Verifies,
                RequireSignedTokens = true,
                RequireExpirationTime = true,
                LifetimeValidator = (notBefore, expires, _, _) =>
                    TokenTimes.Hold(notBefore, expires, clock.GetUtcNow()),
            }
        );
        return result.IsValid ? (JsonWebToken)result.SecurityToken : null;
    }
}

/// <summary>An access token. Its text form shows nothing of it.</summary>
/// <param name="Seconds">How long it holds.</param>
internal sealed record IssuedToken(string Text, int Seconds)
{
    public override string ToString() => "an access token";
}

/// <summary>When a token holds, give or take what two clocks may differ by.</summary>
internal static class TokenTimes
{
    public static bool Hold(DateTime? notBefore, DateTime? expires, DateTimeOffset now) =>
        expires is { } end
        && now.UtcDateTime - TokenLife.Skew < end
        && (notBefore is null || notBefore <= now.UtcDateTime + TokenLife.Skew);
}
