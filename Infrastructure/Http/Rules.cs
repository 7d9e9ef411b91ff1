using System.Text.Json;
using FluentValidation;
using FluentValidation.Validators;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>Rules for validators that say in the document what they demand.</summary>
public static class Rules
{
    /// <summary>One of a closed set of words.</summary>
    public static IRuleBuilderOptions<T, string?> IsOneOf<T>(
        this IRuleBuilder<T, string?> rule,
        IReadOnlyCollection<string> words
    ) => rule.SetValidator(new OneOfValidator<T>(words)).WithErrorCode("unknown_word");

    /// <summary>So many items at least and at most; null is none.</summary>
    public static IRuleBuilderOptions<T, IReadOnlyList<TItem>?> HasItems<T, TItem>(
        this IRuleBuilder<T, IReadOnlyList<TItem>?> rule,
        int min,
        int max
    ) => rule.SetValidator(new ItemsValidator<T, TItem>(min, max)).WithErrorCode("out_of_range");

    /// <summary>A JSON object, or nothing.</summary>
    public static IRuleBuilderOptions<T, JsonElement?> IsObject<T>(this IRuleBuilder<T, JsonElement?> rule) =>
        rule.SetValidator(new ObjectValidator<T>()).WithErrorCode("wrong_type");

    private sealed class OneOfValidator<T>(IReadOnlyCollection<string> words)
        : PropertyValidator<T, string?>,
            IDescribesSchema
    {
        public override string Name => "OneOfValidator";

        public override bool IsValid(ValidationContext<T> context, string? value) =>
            value is not null && words.Contains(value, StringComparer.Ordinal);

        public void Describe(OpenApiSchema schema) => DocumentedLimits.Enumerate(schema, words);

        protected override string GetDefaultMessageTemplate(string errorCode) =>
            $"{{PropertyName}} must be one of {string.Join(", ", words)}.";
    }

    private sealed class ItemsValidator<T, TItem>(int min, int max)
        : PropertyValidator<T, IReadOnlyList<TItem>?>,
            IDescribesSchema
    {
        public override string Name => "ItemsValidator";

        public override bool IsValid(ValidationContext<T> context, IReadOnlyList<TItem>? value)
        {
            var count = value?.Count ?? 0;
            return count >= min && count <= max;
        }

        public void Describe(OpenApiSchema schema) => (schema.MinItems, schema.MaxItems) = (min, max);

        protected override string GetDefaultMessageTemplate(string errorCode) =>
            $"{{PropertyName}} must have {min} to {max} items.";
    }

    private sealed class ObjectValidator<T> : PropertyValidator<T, JsonElement?>, IDescribesSchema
    {
        public override string Name => "ObjectValidator";

        public override bool IsValid(ValidationContext<T> context, JsonElement? value) =>
            value is null or { ValueKind: JsonValueKind.Object or JsonValueKind.Null };

        public void Describe(OpenApiSchema schema) => new AnyObjectAttribute().Describe(schema);

        protected override string GetDefaultMessageTemplate(string errorCode) => "{PropertyName} must be an object.";
    }
}
