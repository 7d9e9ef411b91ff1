using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.ApiKeys;

/// <summary>Proves a caller by <c>Authorization: Bearer bh_…</c>. A key in the query or a cookie is not looked at.</summary>
internal sealed class ApiKeyProof(KnownKeys keys) : ICallerProof
{
    public bool IsShown(HttpContext http) => BearerToken.Read(http) is { } token && ApiKey.IsLike(token);

    public async ValueTask<Identity?> ProveAsync(
        HttpContext http,
        bool rememberedOnly,
        CancellationToken cancellationToken
    )
    {
        if (
            ApiKey.Parse(BearerToken.Read(http)!) is not { } key
            || (rememberedOnly && !keys.Remembers(key))
            || await keys.FindAsync(key, cancellationToken) is not { } identity
        )
        {
            return null;
        }

        if (keys.ClaimUse(key))
        {
            http.Response.OnCompleted(() => keys.RecordUseAsync(identity.ProjectId, key));
        }

        return identity;
    }
}
