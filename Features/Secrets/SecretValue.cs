using System.ComponentModel.DataAnnotations;
using System.Text;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Secrets;

/// <summary>A secret on its way in.</summary>
/// <param name="Value">1 to 65,536 bytes of UTF-8.</param>
public sealed record SecretValue([property: MinLength(1), MaxLength(SecretValue.MaxBytes)] string Value)
    : IExampled<SecretValue>
{
    public static SecretValue Example => new("correct horse battery staple");

    public const int MaxBytes = 65_536;

    public override string ToString() => "a secret";
}

public static class SecretValueRules
{
    /// <summary>The rule for validators; its message never holds the value.</summary>
    public static IRuleBuilderOptions<T, string> IsSecretValue<T>(this IRuleBuilder<T, string> rule) =>
        rule.Must(value => value is { Length: > 0 } && Encoding.UTF8.GetByteCount(value) <= SecretValue.MaxBytes)
            .WithErrorCode("out_of_range")
            .WithMessage($"A secret is 1 to {SecretValue.MaxBytes} bytes of UTF-8.");
}
