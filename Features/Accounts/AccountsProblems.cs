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

    public static readonly ProblemCode InvalidCredentials = new(
        401,
        "invalid_credentials",
        "The address, the password or the code is not right"
    );

    public static readonly ProblemCode TotpRequired = new(401, "totp_required", "The second factor is required");

    public static readonly ProblemCode InvalidToken = new(
        401,
        "invalid_token",
        "The one-time token is not valid, or the password is not the account's"
    );

    public static readonly ProblemCode TotpState = new(409, "totp_state", "The second factor is not in that state");
    public static readonly ProblemCode ProviderFailed = new(
        401,
        "provider_failed",
        "The identity provider did not sign the user in"
    );
    public static readonly ProblemCode NotInvited = new(403, "not_invited", "There is no account for this user");

    public static readonly ProblemCode LastOwner = new(409, "last_owner", "The project keeps an owner")
    {
        Example = new(
            "ada@example.com is the only owner who is neither disabled nor narrowed: make somebody else owner first."
        ),
    };

    public static Problem IsLastOwner(string email) =>
        LastOwner.Because(
            $"{email} is the only owner who is neither disabled nor narrowed: make somebody else owner first."
        );

    /// <summary>The same whether there is no such project or the user is no member of it.</summary>
    public static Problem NoProject { get; } =
        Problems.NotFound.Because("There is no such project, or you are no member of it.");

    /// <summary>The same whether there is no such user, he has another password or none, or he is disabled.</summary>
    public static Problem WrongCredentials { get; } =
        InvalidCredentials.Because("The address, the password or the code is not right.");

    /// <summary>The same whatever is wrong with the token; also for the password of an account that is not its own.</summary>
    public static Problem WrongToken { get; } =
        InvalidToken.Because(
            "The token is mistyped, used, replaced or too old; or there is an account with another password."
        );
}
