using System.Security.Claims;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;
using Microsoft.AspNetCore.Authentication;

namespace Bellhop.Infrastructure.Auth;

/// <summary>One way to prove who calls. Registered by the feature that keeps what is compared.</summary>
public interface ICallerProof
{
    /// <summary>Whether the request shows what this looks at. What stands in <c>Authorization</c> goes before a cookie.</summary>
    bool IsShown(HttpContext http);

    /// <summary>Who is proven; null: what was shown proves nothing.</summary>
    /// <param name="rememberedOnly">
    /// The address failed too often: the database is not to be asked about what is seen for the first time.
    /// </param>
    ValueTask<Identity?> ProveAsync(HttpContext http, bool rememberedOnly, CancellationToken cancellationToken);
}

/// <summary>Proves a caller by the first of the registered ways that the request shows something for.</summary>
/// <remarks>
/// With an <c>Authorization</c> header cookies are not looked at; a key in the query is never. An address that failed too often
/// gets 429 instead of 401 for a while; who was seen to be valid goes on working from there.
/// </remarks>
public sealed class CallerScheme(
    IEnumerable<ICallerProof> proofs,
    Caller caller,
    RateLimiters limiters,
    TimeProvider clock
) : IAuthenticationHandler
{
    public const string Name = "Bellhop";

    // one for all: who it is the caller says, and an open stream would keep its own for an hour
    private static readonly AuthenticateResult Proven = AuthenticateResult.Success(
        new AuthenticationTicket(new ClaimsPrincipal(new ClaimsIdentity(Name)), Name)
    );

    private HttpContext _http = null!;
    private bool _wasGiven;
    private Problem? _tooManyFailures;

    public Task InitializeAsync(AuthenticationScheme scheme, HttpContext context)
    {
        _http = context;
        return Task.CompletedTask;
    }

    public async Task<AuthenticateResult> AuthenticateAsync()
    {
        caller.ComesFrom(_http.Connection.RemoteIpAddress, _http.TraceIdentifier);
        var proof = proofs.FirstOrDefault(proof => proof.IsShown(_http));
        _wasGiven = proof is not null || _http.Request.Headers.Authorization.Count > 0;
        if (!_wasGiven)
        {
            return AuthenticateResult.NoResult();
        }

        if (
            proof is null
            || await proof.ProveAsync(_http, IsAddressExhausted(), _http.RequestAborted) is not { } identity
        )
        {
            _tooManyFailures = CountFailure();
            return AuthenticateResult.Fail("That proves nothing.");
        }

        caller.Become(
            identity.Refusal is null && identity.Access.Refuses(caller.Address, clock.GetUtcNow()) is { } why
                ? identity.Refused(Problems.Forbidden.Because($"What proves the caller is narrowed: {why}."))
                : identity
        );
        return Proven;
    }

    /// <summary>401 with RFC 6750's WWW-Authenticate.</summary>
    public Task ChallengeAsync(AuthenticationProperties? properties)
    {
        if (!_wasGiven)
        {
            _tooManyFailures = CountFailure();
        }

        if (_tooManyFailures is not null)
        {
            return new ProblemResponse(_tooManyFailures).ExecuteAsync(_http);
        }

        (_wasGiven ? AuthMetrics.Invalid : AuthMetrics.Missing).Inc();
        // the reason is the same whatever is wrong: whether there is such a key or user is nobody's business
        var problem = Problems.Unauthenticated.Because(
            _wasGiven
                ? "The key, token or session is not valid: mistyped, expired, revoked or signed out."
                : "Send an API key or an access token as Authorization: Bearer …, or sign in."
        );
        var demand = _wasGiven ? "Bearer realm=\"bellhop\", error=\"invalid_token\"" : "Bearer realm=\"bellhop\"";
        return new ProblemResponse(
            problem with
            {
                Headers = new Dictionary<string, string> { ["WWW-Authenticate"] = demand },
            }
        ).ExecuteAsync(_http);
    }

    public Task ForbidAsync(AuthenticationProperties? properties)
    {
        AuthMetrics.Forbidden.Inc();
        return new ProblemResponse(caller.Refusal ?? RouteDemands.Refusal(_http, caller.IsInArchive)).ExecuteAsync(
            _http
        );
    }

    private bool IsAddressExhausted() =>
        limiters.Failures is { } failures && failures.IsExhausted(RateSubject.Of(_http));

    private Problem? CountFailure() => limiters.Failures?.Take(RateSubject.Of(_http)).Tell(_http);
}
