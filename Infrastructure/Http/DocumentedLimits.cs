using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using FluentValidation;
using FluentValidation.Validators;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>A rule or an attribute that says in the document what it demands of a value.</summary>
public interface IDescribesSchema
{
    void Describe(OpenApiSchema schema);
}

/// <summary>The value is one of a closed set of words: those in <c>All</c> of the type that lists them.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class WordOfAttribute(Type words) : Attribute, IDescribesSchema
{
    public void Describe(OpenApiSchema schema) =>
        DocumentedLimits.Enumerate(
            schema,
            (IEnumerable<string>)words.GetField("All", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!
        );
}

/// <summary>Written as one of a closed set of words (<c>All</c> of the type that lists them), or as an object of a form.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class WordOrAttribute(Type words, Type form) : Attribute
{
    public Type Form { get; } = form;

    public OpenApiSchema DescribeWord()
    {
        var word = new OpenApiSchema { Type = JsonSchemaType.String };
        new WordOfAttribute(words).Describe(word);
        return word;
    }
}

/// <summary>What each text in a list is like.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class EachAttribute(int maxLength) : Attribute, IDescribesSchema
{
    public void Describe(OpenApiSchema schema) => ((OpenApiSchema)schema.Items!).MaxLength = maxLength;
}

/// <summary>Each item is read by itself, as one of these.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ItemsOfAttribute(Type type) : Attribute
{
    public Type Type { get; } = type;
}

/// <summary>The JSON handed on here is read by itself, as one of these.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class AnyOfAttribute(params Type[] types) : Attribute
{
    public IReadOnlyList<Type> Types { get; } = types;
}

/// <summary>The JSON handed on here is always an object.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class AnyObjectAttribute : Attribute, IDescribesSchema
{
    public void Describe(OpenApiSchema schema) => schema.Type = JsonSchemaType.Object | JsonSchemaType.Null;
}

/// <summary>A name of configuration, as <see cref="Slug"/> has it.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SlugShapeAttribute : Attribute, IDescribesSchema
{
    public void Describe(OpenApiSchema schema) =>
        (schema.MinLength, schema.MaxLength, schema.Pattern) = (1, Slug.MaxLength, Slug.Pattern);
}

/// <summary>
/// Writes into the document what the service demands: of requests from the validators that check them, of everything else from
/// attributes. Nothing is written down twice.
/// </summary>
public static class DocumentedLimits
{
    // numbers beyond it are not kept exactly by readers that only know doubles (RFC 8259 section 6)
    private const string MaxInteger = "9007199254740991";

    public static async Task DescribeAsync(
        OpenApiSchema schema,
        OpenApiSchemaTransformerContext context,
        CancellationToken cancellationToken
    )
    {
        DescribeType(schema, context.JsonTypeInfo.Type);
        if (context.JsonPropertyInfo is { } property)
        {
            DescribeMember(schema, property, context.ApplicationServices);
            if (Find<WordOrAttribute>(property) is { } either)
            {
                var form = await context.GetOrCreateSchemaAsync(either.Form, null, cancellationToken);
                var nothing = new OpenApiSchema { Type = JsonSchemaType.Null };
                (schema.Type, schema.AnyOf) = (null, [either.DescribeWord(), form, nothing]);
            }

            if (Find<ItemsOfAttribute>(property) is { Type: var item })
            {
                // components are not there yet: they are referred to when the document is whole
                schema.Metadata = new Dictionary<string, object> { [nameof(ItemsOfAttribute)] = item };
            }

            if (Find<AnyOfAttribute>(property) is { Types: var types })
            {
                schema.Type = null;
                schema.Metadata = new Dictionary<string, object> { [nameof(AnyOfAttribute)] = types };
            }
        }

        if (context.JsonTypeInfo is { Kind: JsonTypeInfoKind.Object, Properties.Count: > 0 } members)
        {
            schema.AdditionalPropertiesAllowed = false;
            schema.Required = members
                .Properties.Where(IsAlwaysThere)
                .Select(member => member.Name)
                .ToHashSet(StringComparer.Ordinal);
        }
    }

    /// <summary>Makes the schema of a type a component, and answers a reference to it.</summary>
    public static OpenApiSchemaReference Refer(Type type, OpenApiSchema schema, OpenApiDocument document)
    {
        document.AddComponent<IOpenApiSchema>(NameOf(type), schema);
        return new OpenApiSchemaReference(NameOf(type), document);
    }

    /// <summary>What a caller may leave out is not required of it, though the service always writes it; items get their schema.</summary>
    public static void FinishRequests(OpenApiDocument document)
    {
        foreach (var member in document.Components!.Schemas!.Values.SelectMany(MembersOf))
        {
            if (member.Metadata?.TryGetValue(nameof(AnyOfAttribute), out var types) == true)
            {
                member.AnyOf =
                [
                    .. ((IReadOnlyList<Type>)types).Select(type => new OpenApiSchemaReference(NameOf(type), document)),
                ];
            }
        }

        var seen = new HashSet<OpenApiSchema>();
        foreach (
            var media in document
                .Paths.Values.SelectMany(path => (IEnumerable<OpenApiOperation>?)path.Operations?.Values ?? [])
                .SelectMany(operation => (IEnumerable<OpenApiMediaType>?)operation.RequestBody?.Content?.Values ?? [])
        )
        {
            Relax(media.Schema);
        }

        void Relax(IOpenApiSchema? found)
        {
            var schema = found is OpenApiSchemaReference reference
                ? document.Components!.Schemas![reference.Reference.Id!] as OpenApiSchema
                : found as OpenApiSchema;
            if (schema is null || !seen.Add(schema))
            {
                return;
            }

            foreach (var (name, member) in schema.Properties ?? new Dictionary<string, IOpenApiSchema>())
            {
                if (member.Default is not null || MayBeNull(member))
                {
                    schema.Required?.Remove(name);
                }

                Relax(member);
            }

            foreach (var part in (schema.AnyOf ?? []).Concat(schema.OneOf ?? []))
            {
                Relax(part);
            }

            if (schema.Metadata?.TryGetValue(nameof(ItemsOfAttribute), out var type) == true && type is Type item)
            {
                schema.Items = new OpenApiSchemaReference(NameOf(item), document);
            }

            Relax(schema.Items);
        }
    }

    /// <summary>Makes components of what a member of the type may be.</summary>
    public static async Task AddChoicesAsync(
        Type type,
        OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken
    )
    {
        foreach (
            var choice in type.GetProperties().SelectMany(one => one.GetCustomAttribute<AnyOfAttribute>()?.Types ?? [])
        )
        {
            var schema = await context.GetOrCreateSchemaAsync(choice, null, cancellationToken);
            Refer(choice, schema, context.Document!);
        }
    }

    public static void Enumerate(OpenApiSchema schema, IEnumerable<string> words)
    {
        schema.Enum = [.. words.Select(word => (JsonNode)JsonValue.Create(word))];
        if (schema.Type?.HasFlag(JsonSchemaType.Null) == true)
        {
            schema.Enum.Add(JsonNullSentinel.JsonNull);
        }
    }

    private static IEnumerable<OpenApiSchema> MembersOf(IOpenApiSchema schema) =>
        (schema.Properties ?? new Dictionary<string, IOpenApiSchema>()).Values.OfType<OpenApiSchema>();

    private static string NameOf(Type type) => Documentation.NameOf(type) ?? type.Name;

    private static bool MayBeNull(IOpenApiSchema schema) =>
        schema.Type is null
            ? schema is not OpenApiSchemaReference && (schema.OneOf?.Any(MayBeNull) ?? true)
            : schema.Type.Value.HasFlag(JsonSchemaType.Null);

    private static bool IsAlwaysThere(JsonPropertyInfo member) =>
        Find<JsonIgnoreAttribute>(member) is not { Condition: JsonIgnoreCondition.WhenWritingNull };

    private static T? Find<T>(JsonPropertyInfo member) =>
        (member.AttributeProvider?.GetCustomAttributes(typeof(T), inherit: true) ?? []).OfType<T>().FirstOrDefault();

    private static void DescribeType(OpenApiSchema schema, Type declared)
    {
        var type = Nullable.GetUnderlyingType(declared) ?? declared;
        var orNull = type == declared ? 0 : JsonSchemaType.Null;
        if (type == typeof(DateTime))
        {
            schema.Type = JsonSchemaType.String | orNull;
            schema.Format = "date-time";
            schema.MaxLength = Rfc3339.MaxLength;
        }
        else if (type == typeof(Guid))
        {
            schema.MaxLength = 36;
        }
        else if (type == typeof(short) || type == typeof(int))
        {
            // nothing that is counted here is negative
            schema.Format = "int32";
            schema.Minimum = "0";
            schema.Maximum = $"{(type == typeof(short) ? short.MaxValue : int.MaxValue)}";
        }
        else if (type == typeof(long))
        {
            schema.Minimum = "0";
            schema.Maximum = MaxInteger;
        }

        foreach (var own in type.GetCustomAttributes().OfType<IDescribesSchema>())
        {
            own.Describe(schema);
        }
    }

    private static void DescribeMember(OpenApiSchema schema, JsonPropertyInfo property, IServiceProvider services)
    {
        foreach (var attribute in property.AttributeProvider?.GetCustomAttributes(inherit: true) ?? [])
        {
            Describe(schema, attribute);
        }

        if (services.GetService(typeof(IValidator<>).MakeGenericType(property.DeclaringType)) is not IValidator checks)
        {
            return;
        }

        foreach (var rule in checks.CreateDescriptor().Rules.Where(rule => rule.PropertyName == property.Name))
        {
            var isForEach = rule.GetType()
                .GetInterfaces()
                .Any(of => of.IsGenericType && of.GetGenericTypeDefinition() == typeof(ICollectionRule<,>));
            foreach (var part in rule.Components.Where(part => !part.HasCondition && !part.HasAsyncCondition))
            {
                Describe(isForEach ? (OpenApiSchema)schema.Items! : schema, part.Validator);
            }
        }
    }

    private static void Describe(OpenApiSchema schema, object demand)
    {
        switch (demand)
        {
            case IDescribesSchema own:
                own.Describe(schema);
                break;
            case ILengthValidator length:
                schema.MinLength = length.Min > 0 ? length.Min : schema.MinLength;
                schema.MaxLength = length.Max > 0 ? length.Max : schema.MaxLength;
                break;
            case INotEmptyValidator when schema.Type?.HasFlag(JsonSchemaType.String) == true:
                schema.MinLength = 1;
                schema.Type &= ~JsonSchemaType.Null;
                break;
            case IBetweenValidator between:
                (schema.Minimum, schema.Maximum) = (Write(between.From), Write(between.To));
                break;
            case LengthAttribute length:
                Bound(schema, length.MinimumLength, length.MaximumLength);
                break;
            case MaxLengthAttribute length:
                Bound(schema, null, length.Length);
                break;
            case RangeAttribute range:
                (schema.Minimum, schema.Maximum) = (Write(range.Minimum), Write(range.Maximum));
                break;
            case RegularExpressionAttribute expression:
                schema.Pattern = expression.Pattern;
                break;
            case AllowedValuesAttribute words:
                Enumerate(schema, words.Values.OfType<string>());
                break;
        }
    }

    private static void Bound(OpenApiSchema schema, int? min, int max)
    {
        if (schema.Type?.HasFlag(JsonSchemaType.Array) == true)
        {
            (schema.MinItems, schema.MaxItems, schema.MinLength, schema.MaxLength) = (min, max, null, null);
        }
        else
        {
            (schema.MinLength, schema.MaxLength) = (min, max);
        }
    }

    private static string Write(object number) => Convert.ToString(number, CultureInfo.InvariantCulture)!;
}
