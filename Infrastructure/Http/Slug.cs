using System.Text.RegularExpressions;
using FluentValidation;
using FluentValidation.Validators;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>The names of configuration: lower-case letters, digits and inner hyphens, 1–63 characters, as in a host name.</summary>
/// <remarks>A name is never shaped like an id, so that a path may hold either (<see cref="NameOrId"/>).</remarks>
public static partial class Slug
{
    /// <summary>The rule in words.</summary>
    public const string Form =
        "A name is 1 to 63 lower-case letters, digits and hyphens, no hyphen first or last, and not shaped like an id.";
    public const int MaxLength = 63;

    /// <summary>The shape, for the document. An id has it too.</summary>
    public const string Pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

    public static bool IsSound(string? name) =>
        name is not null && Shape().IsMatch(name) && !Guid.TryParseExact(name, "D", out _);

    /// <summary>The rule for validators.</summary>
    public static IRuleBuilderOptions<T, string> IsSlug<T>(this IRuleBuilder<T, string> rule) =>
        rule.SetValidator(new SlugRule<T>()).WithErrorCode("invalid_name");

    [GeneratedRegex(@"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z")]
    private static partial Regex Shape();

    private sealed class SlugRule<T> : PropertyValidator<T, string>, IDescribesSchema
    {
        public override string Name => nameof(SlugRule<T>);

        public override bool IsValid(ValidationContext<T> context, string value) => IsSound(value);

        public void Describe(OpenApiSchema schema) => new SlugShapeAttribute().Describe(schema);

        protected override string GetDefaultMessageTemplate(string errorCode) =>
            "A name is 1 to 63 lower-case letters, digits and hyphens, no hyphen first or last, and not shaped like an id.";
    }
}

/// <summary>What a path names a piece of configuration by: exactly one of the two is set.</summary>
public readonly record struct NameOrId
{
    private NameOrId(Guid? id, string? name) => (Id, Name) = (id, name);

    public Guid? Id { get; }

    public string? Name { get; }

    public static NameOrId Parse(string text) =>
        Guid.TryParseExact(text, "D", out var id) ? new NameOrId(id, null) : new NameOrId(null, text);

    public override string ToString() => Name ?? $"{Id}";
}
