using System.Globalization;

namespace Bellhop.Features.Accounts;

/// <summary>A user as the command line shows him.</summary>
/// <param name="Memberships"><c>project:role</c>, with blanks between.</param>
public sealed record ListedUser(
    Guid Id,
    string Email,
    bool IsDisabled,
    bool HasSecondFactor,
    DateTime CreatedAt,
    DateTime? LastLoginAt,
    string Memberships
)
{
    internal string Describe()
    {
        var seen = LastLoginAt?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? "never";
        return $"{Email} {(IsDisabled ? "disabled" : "enabled")} last-login={seen} {Memberships}".TrimEnd();
    }
}
