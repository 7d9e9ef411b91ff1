using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

/// <summary>What proves a user.</summary>
/// <param name="Totp">The code of the authenticator, or a recovery code; where the user has a second factor.</param>
public sealed record SignInDocument(
    [property: MinLength(1), MaxLength(EmailAddress.MaxLength)] string Email,
    [property: MinLength(1), MaxLength(PasswordRules.MaxLength)] string Password,
    [property: MinLength(1), MaxLength(SecondFactor.MaxLength)] string? Totp = null
) : IExampled<SignInDocument>
{
    public static SignInDocument Example => new("ada@example.com", "correct horse battery staple");

    public override string ToString() => "a sign-in";
}

/// <param name="CurrentPassword">The one the user has.</param>
/// <param name="NewPassword">12 to 1,024 characters, not a common one.</param>
/// <param name="EndOtherSessions">Whether whoever else is signed in as this user is signed out; true where nothing is said.</param>
public sealed record PasswordChange(
    [property: MinLength(1), MaxLength(PasswordRules.MaxLength)] string CurrentPassword,
    [property: MinLength(PasswordRules.MinLength), MaxLength(PasswordRules.MaxLength)] string NewPassword,
    bool EndOtherSessions = true
) : IExampled<PasswordChange>
{
    public static PasswordChange Example => new("correct horse battery staple", "wrong donkey solar clip");

    public override string ToString() => "a change of password";
}

/// <param name="Token">As it came by mail or was printed: <c>bhot_…</c>.</param>
/// <param name="Password">Of the account: a new one, but where an invitation meets an account that is there.</param>
public sealed record Redemption(
    [property: MinLength(1), MaxLength(200)] string Token,
    [property: MinLength(PasswordRules.MinLength), MaxLength(PasswordRules.MaxLength)] string Password
) : IExampled<Redemption>
{
    public static Redemption Example =>
        new("bhot_4fK2mZ8qRw1Xc7Vb9Nn3Tt5Yy6Uu0Pp2Ss4Dd8Gg1HhJj0a1b2c", "correct horse battery staple");

    public override string ToString() => "a redemption";
}

/// <param name="Email">Of whoever forgot the password.</param>
public sealed record ResetRequest([property: MinLength(3), MaxLength(EmailAddress.MaxLength)] string Email)
    : IExampled<ResetRequest>
{
    public static ResetRequest Example => new("ada@example.com");
}

/// <param name="Password">The user's.</param>
public sealed record TotpStart([property: MinLength(1), MaxLength(PasswordRules.MaxLength)] string Password)
    : IExampled<TotpStart>
{
    public static TotpStart Example => new("correct horse battery staple");

    public override string ToString() => "a start of a second factor";
}

/// <param name="Code">What the authenticator shows now.</param>
public sealed record TotpConfirmation([property: MinLength(6), MaxLength(6)] string Code) : IExampled<TotpConfirmation>
{
    public static TotpConfirmation Example => new("287082");

    public override string ToString() => "a confirmation of a second factor";
}

/// <param name="Password">The user's.</param>
/// <param name="Totp">The code of the authenticator, or a recovery code.</param>
public sealed record TotpEnd(
    [property: MinLength(1), MaxLength(PasswordRules.MaxLength)] string Password,
    [property: MinLength(1), MaxLength(SecondFactor.MaxLength)] string Totp
) : IExampled<TotpEnd>
{
    public static TotpEnd Example => new("correct horse battery staple", "287082");

    public override string ToString() => "an end of a second factor";
}
