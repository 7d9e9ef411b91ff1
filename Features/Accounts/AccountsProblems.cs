using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

/// <summary>The failures that only accounts know.</summary>
public static class AccountsProblems
{
    public static readonly ProblemCode InvalidGrant = new(401, "invalid_grant", "The grant is not valid");

    /// <summary>The same whatever is wrong with a refresh token or key, and whoever's it was.</summary>
    public static Problem NoGrant { get; } =
        InvalidGrant.Because("What was sent is mistyped, expired, spent or revoked: sign in again.") with
        {
            Headers = new Dictionary<string, string> { ["WWW-Authenticate"] = "Bearer realm=\"bellhop\"" },
        };

    /// <summary>The same whether there is no such project or the user is no member of it.</summary>
    public static Problem NoProject { get; } =
        Problems.NotFound.Because("There is no such project, or you are no member of it.");
}
