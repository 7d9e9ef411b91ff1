using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>What a list may be asked, as the document describes it: the parameters that <see cref="Paging.Read"/> reads.</summary>
public static class DescribedList
{
    /// <summary>Adds them, in place of those that the route binds by itself.</summary>
    public static void AddTo(IList<IOpenApiParameter> parameters, ListFilters list)
    {
        AddTo(parameters, list.Filters);
        if (list.TimeField is { } field)
        {
            var order = new OpenApiSchema { Type = JsonSchemaType.String, Default = list.Sorts[0] };
            DocumentedLimits.Enumerate(order, list.Sorts);
            parameters.Add(Query("sort", order, "The newest first, or the oldest.", list.Sorts[1]));
            parameters.Add(
                Query($"{field}[gte]", Time(), "Only those of this moment or later.", "2025-10-09T00:00:00Z")
            );
            parameters.Add(Query($"{field}[lt]", Time(), "Only those before this moment.", "2025-10-10T00:00:00Z"));
        }

        var limit = new OpenApiSchema
        {
            Type = JsonSchemaType.Integer,
            Format = "int32",
            Minimum = "1",
            Maximum = $"{PageRequest.MaxLimit}",
            Default = PageRequest.DefaultLimit,
        };
        parameters.Add(Query("limit", limit, "How many.", PageRequest.DefaultLimit));
        parameters.Add(
            Query(
                "cursor",
                new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = CursorSigner.MaxLength },
                "next_cursor of the page before, with the same filters.",
                "Zk3rXaO2mPq8sT1vYw5bLg"
            )
        );
    }

    /// <summary>Adds what narrows an answer, in place of the parameters that the route binds by itself.</summary>
    public static void AddTo(IList<IOpenApiParameter> parameters, IReadOnlyList<ListFilter> filters)
    {
        foreach (var known in parameters.Where(one => one.In == ParameterLocation.Query).ToArray())
        {
            parameters.Remove(known);
        }

        foreach (var filter in filters)
        {
            parameters.Add(Query(filter.Name, Of(filter), "Only those with this value.", ExampleOf(filter)));
        }
    }

    private static OpenApiSchema Of(ListFilter filter)
    {
        var schema = new OpenApiSchema { Type = JsonSchemaType.String };
        if (filter.Values is { } words)
        {
            DocumentedLimits.Enumerate(schema, words);
        }
        else if (IsId(filter))
        {
            (schema.Format, schema.MaxLength) = ("uuid", 36);
        }
        else
        {
            schema.MaxLength = 255;
        }

        return schema;
    }

    private static string ExampleOf(ListFilter filter) =>
        filter.Example ?? filter.Values?[0] ?? (IsId(filter) ? Story.Endpoint.ToString() : Story.Name);

    private static bool IsId(ListFilter filter) =>
        filter.Name.EndsWith("_id", StringComparison.Ordinal) || Guid.TryParseExact(filter.Example, "D", out _);

    private static OpenApiSchema Time() =>
        new()
        {
            Type = JsonSchemaType.String,
            Format = "date-time",
            MaxLength = Rfc3339.MaxLength,
        };

    private static OpenApiParameter Query(string name, OpenApiSchema schema, string description, JsonNode example) =>
        new()
        {
            Name = name,
            In = ParameterLocation.Query,
            Description = description,
            Schema = schema,
            Example = example,
        };
}
