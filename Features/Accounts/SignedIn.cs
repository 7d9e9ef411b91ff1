using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

/// <summary>A place where a user is signed in: a browser, or a program with tokens.</summary>
/// <param name="Kind"><c>session</c> or <c>token</c>.</param>
/// <param name="Method">How a browser was signed in; null: a program.</param>
/// <param name="UserAgent">What it said it is.</param>
/// <param name="LastSeenAt">Of a browser, to the minute.</param>
/// <param name="ExpiresAt">When it is over, whatever happens.</param>
/// <param name="IsCurrent">The one that asks.</param>
public sealed record SignedIn(
    Guid Id,
    [property: MaxLength(63)] string Kind,
    [property: MaxLength(63)] string? Method,
    [property: MaxLength(45)] string? Address,
    [property: MaxLength(300)] string? UserAgent,
    DateTime CreatedAt,
    DateTime? LastSeenAt,
    DateTime ExpiresAt,
    bool IsCurrent
) : IExampled<SignedIn>
{
    public static SignedIn Example =>
        new(
            Story.Event,
            "session",
            "totp",
            "203.0.113.7",
            "Mozilla/5.0 (X11; Linux x86_64)",
            Story.At,
            Story.At,
            Story.At.AddHours(12),
            true
        );
}
