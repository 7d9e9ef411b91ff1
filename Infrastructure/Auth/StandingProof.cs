using Bellhop.Infrastructure.Database;

namespace Bellhop.Infrastructure.Auth;

/// <summary>Whether who was let in still would be: for an answer that goes on long after it was asked for.</summary>
/// <remarks>
/// Asked again at most once a second. It holds no more once the key is revoked, the session or token over, the role or what narrows
/// it another one, or where nobody can tell: whoever it was comes again, and is judged as anybody is.
/// </remarks>
public sealed class StandingProof
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly HttpContext _http;
    private readonly ICallerProof[] _proofs;
    private readonly Identity? _identity;
    private readonly TimeProvider _clock;
    private long _askedAt;

    private StandingProof(HttpContext http, ICallerProof[] proofs, Identity? identity, TimeProvider clock) =>
        (_http, _proofs, _identity, _clock, _askedAt) = (http, proofs, identity, clock, clock.GetTimestamp());

    /// <summary>Of a request that was let in; to be called before the scope it was put together in ends.</summary>
    public static StandingProof Of(HttpContext http) =>
        new(
            http,
            [.. http.RequestServices.GetServices<ICallerProof>()],
            http.RequestServices.GetRequiredService<Caller>().Identity,
            http.RequestServices.GetRequiredService<TimeProvider>()
        );

    public async ValueTask<bool> HoldsAsync(CancellationToken cancellationToken)
    {
        var now = _clock.GetTimestamp();
        if (_identity is null || _clock.GetElapsedTime(_askedAt, now) < Interval)
        {
            return true; // what is open to everyone stays so
        }

        _askedAt = now;
        try
        {
            return _proofs.FirstOrDefault(proof => proof.IsShown(_http)) is { } proof
                && await proof.ProveAsync(_http, rememberedOnly: false, cancellationToken) is { } identity
                && IsTheSame(identity, _identity)
                && identity.Access.Refuses(_http.Connection.RemoteIpAddress, _clock.GetUtcNow()) is null;
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            return false;
        }
    }

    private static bool IsTheSame(Identity now, Identity before) =>
        now.Refusal is null
        && now.ProjectId == before.ProjectId
        && now.Permissions.SetEquals(before.Permissions)
        && now.Access.ToJson() == before.Access.ToJson();
}
