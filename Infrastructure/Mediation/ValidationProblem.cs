using System.Globalization;
using Bellhop.Infrastructure.Http;
using FluentValidation;
using FluentValidation.Resources;
using FluentValidation.Results;

namespace Bellhop.Infrastructure.Mediation;

/// <summary>Turns a validator's findings into a 422 whose pointers are in the caller's spelling.</summary>
public static class ValidationProblem
{
    /// <summary>Null: nothing was found.</summary>
    public static Problem? Of(ValidationResult result) => result.IsValid ? null : From(result);

    public static Problem From(ValidationResult result)
    {
        var errors = result
            .Errors.Select(failure => FieldError.At(Pointer(failure.PropertyName), Code(failure), failure.ErrorMessage))
            .ToArray();
        return Problems.Invalid.Because(
            errors.Length == 1 ? errors[0].Message : $"{errors.Length} members are not valid.",
            errors
        );
    }

    /// <summary>Names members as JSON does; to be called once at start.</summary>
    public static void UseApiSpelling()
    {
        ValidatorOptions.Global.PropertyNameResolver = (_, member, _) =>
            member is null ? null : JsonRules.Spell(member.Name);
        ValidatorOptions.Global.DisplayNameResolver = (_, member, _) =>
            member is null ? null : JsonRules.Spell(member.Name);
        ValidatorOptions.Global.LanguageManager = new Wording();
    }

    /// <summary>What the rules of the library say: what would be right.</summary>
    private sealed class Wording : ILanguageManager
    {
        public bool Enabled { get; set; } = true;

        public CultureInfo? Culture { get; set; }

        public string GetString(string key, CultureInfo? culture = null) =>
            key switch
            {
                "NotEmptyValidator" or "NotNullValidator" => "{PropertyName} is required.",
                "MaximumLengthValidator" => "{PropertyName} may have {MaxLength} characters at most.",
                "InclusiveBetweenValidator" => "{PropertyName} must be from {From} to {To}.",
                "NotEqualValidator" => "{PropertyName} must not be {ComparisonValue}.",
                _ when key.EndsWith("Validator", StringComparison.Ordinal) => throw new InvalidOperationException(
                    $"Give the rule {key} a wording."
                ),
                _ => "", // asked by a code of ours first
            };
    }

    // steps[0].with → /steps/0/with
    private static string Pointer(string path) =>
        path.Length == 0
            ? ""
            : "/"
                + path.Replace('.', '/')
                    .Replace("[", "/", StringComparison.Ordinal)
                    .Replace("]", "", StringComparison.Ordinal);

    private static string Code(ValidationFailure failure) =>
        failure.ErrorCode switch
        {
            "NotEmptyValidator" or "NotNullValidator" => "required",
            "MaximumLengthValidator" or "ExactLengthValidator" => "too_long",
            "MinimumLengthValidator" => "too_short",
            "InclusiveBetweenValidator" or "GreaterThanOrEqualValidator" or "LessThanOrEqualValidator" =>
                "out_of_range",
            { } code when code.EndsWith("Validator", StringComparison.Ordinal) => "invalid",
            { } code => code,
            null => "invalid",
        };
}
