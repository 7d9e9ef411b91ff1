using System.Security.Claims;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;
using Microsoft.AspNetCore.Authentication;

namespace Bellhop.Features.ApiKeys;

/// <summary>Proves a caller by <c>Authorization: Bearer bh_…</c>. A key in the query or a cookie is not looked at.</summary>
/// <remarks>
/// An address that failed too often gets 429 instead of 401 for a while, and the database is not asked about keys that it shows
/// for the first time; keys that were seen to be valid go on working from there.
/// </remarks>
public sealed class ApiKeyScheme(KnownKeys keys, Caller caller, RateLimiters limiters) : IAuthenticationHandler
{
    public const string Name = "ApiKey";

    private const string Bearer = "Bearer ";

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
        var header = _http.Request.Headers.Authorization;
        if (header.Count == 0)
        {
            return AuthenticateResult.NoResult();
        }

        _wasGiven = true;
        if (
            header.Count > 1
            || !header[0]!.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)
            || ApiKey.Parse(header[0]![Bearer.Length..].Trim()) is not { } key
            || (IsAddressExhausted() && !keys.Remembers(key))
            || await keys.FindAsync(key, _http.RequestAborted) is not { } identity
        )
        {
            _tooManyFailures = CountFailure();
            return AuthenticateResult.Fail("No such key.");
        }

        caller.Become(identity);
        if (keys.ClaimUse(key))
        {
            _http.Response.OnCompleted(() => keys.RecordUseAsync(identity.ProjectId, key));
        }

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
        // the reason is the same for every wrong key: whether one exists is nobody's business
        var problem = Problems.Unauthenticated.Because(
            _wasGiven
                ? "The API key is not valid: mistyped, expired or revoked."
                : "Send an API key as Authorization: Bearer bh_…"
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
        return new ProblemResponse(PermissionRules.Refusal(_http)).ExecuteAsync(_http);
    }

    private bool IsAddressExhausted() =>
        limiters.Failures is { } failures && failures.IsExhausted(RateSubject.Of(_http));

    private Problem? CountFailure() => limiters.Failures?.Take(RateSubject.Of(_http)).Tell(_http);
}
