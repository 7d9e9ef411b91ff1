using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>What a filter of a list may be: one of these words, or something like the example.</summary>
public sealed record DescribedFilter(string Name, IReadOnlyList<string>? Words, string? Example);

/// <summary>What every list takes, as the document describes it.</summary>
public static class DescribedList
{
    /// <summary>Says that a filter takes one of these words.</summary>
    public static RouteHandlerBuilder WithFilterOf(
        this RouteHandlerBuilder builder,
        string name,
        IReadOnlyList<string> words
    ) => builder.WithMetadata(new DescribedFilter(name, words, null));

    /// <summary>Says what the value of a filter looks like.</summary>
    public static RouteHandlerBuilder WithFilterLike(this RouteHandlerBuilder builder, string name, string example) =>
        builder.WithMetadata(new DescribedFilter(name, null, example));

    /// <summary>Adds what every list takes, and the list's own filters.</summary>
    public static void AddTo(IList<IOpenApiParameter> parameters, ListFilters list, Traits traits)
    {
        foreach (var name in list.Names)
        {
            if (parameters.OfType<OpenApiParameter>().FirstOrDefault(one => one.Name == name) is not { } bound)
            {
                bound = Query(name, new OpenApiSchema { Type = JsonSchemaType.String });
                parameters.Add(bound);
            }

            var filter = traits.All<DescribedFilter>().FirstOrDefault(one => one.Name == name);
            bound.Description ??= "Only those with this value.";
            Bound((OpenApiSchema)bound.Schema!, filter, name);
            bound.Example = ExampleOf((OpenApiSchema)bound.Schema!, filter);
        }

        parameters.Add(
            Query(
                "limit",
                new OpenApiSchema
                {
                    Type = JsonSchemaType.Integer,
                    Format = "int32",
                    Minimum = "1",
                    Maximum = $"{PageRequest.MaxLimit}",
                    Default = PageRequest.DefaultLimit,
                },
                "How many.",
                PageRequest.DefaultLimit
            )
        );
        parameters.Add(
            Query(
                "cursor",
                new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = CursorSigner.MaxLength },
                "next_cursor of the page before, with the same filters.",
                "Zk3rXaO2mPq8sT1vYw5bLg"
            )
        );
    }

    private static void Bound(OpenApiSchema schema, DescribedFilter? filter, string name)
    {
        if (name.EndsWith("_id", StringComparison.Ordinal))
        {
            (schema.Format, schema.MaxLength) = ("uuid", 36);
        }
        else if (filter?.Words is { } words)
        {
            DocumentedLimits.Enumerate(schema, words);
        }
        else
        {
            schema.MaxLength = 255;
        }
    }

    private static JsonNode ExampleOf(OpenApiSchema schema, DescribedFilter? filter) =>
        schema switch
        {
            { Enum: [var first, ..] } => first.DeepClone(),
            { Format: "uuid" } => Story.Endpoint.ToString(),
            _ => filter?.Example ?? Story.Name,
        };

    private static OpenApiParameter Query(
        string name,
        OpenApiSchema schema,
        string? description = null,
        JsonNode? example = null
    ) =>
        new()
        {
            Name = name,
            In = ParameterLocation.Query,
            Description = description,
            Schema = schema,
            Example = example,
        };
}
