using System.Collections.Frozen;
using System.Text;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Accounts;

/// <summary>What a password may be: 12 to 1,024 characters of any kind, not one of those that many people have, not the address.</summary>
/// <remarks>
/// Nothing is demanded of its composition, and nothing is trimmed, cut or folded (OWASP ASVS 5.0, 6.2). Digits and marks
/// before or behind a common password make no other one of it.
/// </remarks>
public static class PasswordRules
{
    public const int MinLength = 12;
    public const int MaxLength = 1024;
    public const int MaxBytes = 4096;

    private const string List = "common-passwords.txt";

    // read at the first password that somebody sets
    private static readonly Lazy<FrozenSet<string>> Common = new(Read);

    /// <summary>The rule for validators; its message never holds the password.</summary>
    public static IRuleBuilderOptions<T, string> IsNewPassword<T>(this IRuleBuilder<T, string> rule) =>
        rule.Must(HasLength)
            .WithErrorCode("out_of_range")
            .WithMessage($"A password has {MinLength} to {MaxLength} characters, {MaxBytes} bytes at most.")
            .Must(password => !IsCommon(password))
            .WithErrorCode("common_password")
            .WithMessage("Many people have this password, and who guesses tries it first: take another one.");

    /// <summary>The rule for a password that somebody has: it need not be one that could be set today.</summary>
    public static IRuleBuilderOptions<T, string> IsPassword<T>(this IRuleBuilder<T, string> rule) =>
        rule.Must(password => password is { Length: > 0 and <= MaxLength })
            .WithErrorCode("out_of_range")
            .WithMessage($"A password has 1 to {MaxLength} characters.");

    /// <summary>Whether it is the address, or what stands before its @.</summary>
    public static Problem? FaultFor(string email, string password, string pointer)
    {
        const string Message = "Whoever knows the address knows this password: take another one.";
        var lower = password.ToLowerInvariant();
        var key = EmailAddress.KeyOf(email);
        return lower == key || lower == key.Split('@')[0]
            ? Problems.Invalid.Because(Message, FieldError.At(pointer, "password_is_address", Message))
            : null;
    }

    private static bool HasLength(string? password) =>
        password is { Length: >= MinLength and <= MaxLength } && Encoding.UTF8.GetByteCount(password) <= MaxBytes;

    private static bool IsCommon(string? password) =>
        password is not null
        && password.ToLowerInvariant() is var lower
        && (Common.Value.Contains(lower) || Common.Value.Contains(Core(lower)));

    // what is left without digits and marks around it; of one that is nothing else, all
    private static string Core(string lower)
    {
        var (start, end) = (0, lower.Length);
        while (start < end && !char.IsLetter(lower[start]))
        {
            start++;
        }

        while (end > start && !char.IsLetter(lower[end - 1]))
        {
            end--;
        }

        return start == end ? lower : lower[start..end];
    }

    private static FrozenSet<string> Read()
    {
        using var stream = typeof(PasswordRules).Assembly.GetManifestResourceStream(List)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var passwords = new HashSet<string>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            if (!line.StartsWith('#'))
            {
                passwords.Add(line.ToLowerInvariant());
            }
        }

        return passwords.ToFrozenSet(StringComparer.Ordinal);
    }
}
