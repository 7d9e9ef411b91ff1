using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Accounts;

/// <summary>Addresses of people: kept as they are written, found whatever the case of their ASCII letters.</summary>
public static class EmailAddress
{
    /// <summary>RFC 5321 section 4.5.3.1.3.</summary>
    public const int MaxLength = 254;

    private const string Form = "An e-mail address, such as ada@example.com.";

    /// <summary>What an address is found by: nobody has two accounts that differ by the case of ASCII letters alone.</summary>
    /// <remarks>
    /// Other letters stay as they are. The lower case of some is an ASCII letter, such as that of the Kelvin sign (U+212A): whoever
    /// has the mailbox that is written with one would else be who has the other mailbox.
    /// </remarks>
    public static string KeyOf(string email) =>
        string.Create(
            email.Length,
            email,
            static (key, written) =>
            {
                for (var i = 0; i < key.Length; i++)
                {
                    key[i] = char.IsAsciiLetterUpper(written[i]) ? (char)(written[i] | 0x20) : written[i];
                }
            }
        );

    /// <summary>What failures are counted under, so that no table holds addresses that nobody has here.</summary>
    public static byte[] Sha256Of(string email) => SHA256.HashData(Encoding.UTF8.GetBytes(KeyOf(email)));

    public static bool IsSound(string? text) =>
        text is { Length: >= 3 and <= MaxLength }
        && text.Split('@') is [{ Length: > 0 and <= 64 }, { Length: > 0 } domain]
        && VisibleText.IsVisible(text)
        && !text.Any(character =>
            char.IsWhiteSpace(character) || "<>()[],;:\\\"".Contains(character, StringComparison.Ordinal)
        )
        && !domain.StartsWith('.')
        && !domain.EndsWith('.');

    /// <summary>The rule for validators.</summary>
    public static IRuleBuilderOptions<T, string> IsEmail<T>(this IRuleBuilder<T, string> rule) =>
        rule.Must(IsSound).WithErrorCode("invalid_email").WithMessage(Form);

    /// <summary>The fault of an address that is none.</summary>
    public static Problem? Fault(string email) =>
        IsSound(email) ? null : Problems.Invalid.Because(Form, FieldError.At("/email", "invalid_email", Form));
}
