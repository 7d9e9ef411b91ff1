using Bellhop.Features.ApiKeys;
using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Proves a caller by an access token that was signed here.</summary>
/// <remarks>
/// The token says who it is and nothing of what he may do. A user who is disabled, signed out everywhere or whose family of tokens
/// ended is nobody within five seconds in every process; a token that was got for an API key is worth what the key is.
/// </remarks>
internal sealed class AccessTokenProof(AccessTokens tokens, KnownUsers users, KnownKeys keys, EndedFamilies ended)
    : ICallerProof
{
    public bool IsShown(HttpContext http) =>
        BearerToken.Read(http) is { } text
        && ShownToken.IsLike(text)
        && (ShownToken.Of(http)?.Issuer is not { } issuer || issuer == tokens.Issuer);

    public async ValueTask<Identity?> ProveAsync(
        HttpContext http,
        bool rememberedOnly,
        CancellationToken cancellationToken
    )
    {
        if (
            ShownToken.Of(http) is not { } shown
            || await tokens.ReadAsync(shown, rememberedOnly, cancellationToken) is not { } claims
        )
        {
            return null;
        }

        if (claims.KeyId is { } keyId)
        {
            return await keys.FindAsync(keyId, claims.Mark!, cancellationToken) is { } identity
                ? identity with
                {
                    Method = ProofMethod.AccessToken,
                }
                : null;
        }

        return
            await users.FindAsync(claims.UserId!.Value, cancellationToken) is { IsDisabled: false } user
            && user.TokenEpoch == claims.Epoch
            && !await ended.HoldAsync(claims.FamilyId!.Value, cancellationToken)
            ? ProjectChoice.Of(user, http, ProofMethod.AccessToken, claims.FamilyId)
            : null;
    }
}
