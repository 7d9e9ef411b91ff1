using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>What a body of one media type may be, where it is not what the other types of the operation are.</summary>
public sealed record BodyOfType(string MediaType, Type Type);

/// <summary>A body that is taken as bytes.</summary>
public sealed record RawBody(string MediaType, string Description, string Example);

/// <summary>A path parameter that is no id and no name.</summary>
public sealed record DescribedParameter(string Name, string Description, string Pattern, int Length, string Example);

/// <summary>Completes one operation of the document: its examples, parameters, headers and errors.</summary>
public static class DocumentedOperation
{
    /// <summary>Says that a body of this media type may be of this type.</summary>
    public static RouteHandlerBuilder WithBodyOf<T>(this RouteHandlerBuilder builder, string mediaType) =>
        builder.WithMetadata(new BodyOfType(mediaType, typeof(T)));

    /// <summary>Says that a body of this media type is taken as bytes.</summary>
    public static RouteHandlerBuilder WithRawBody(
        this RouteHandlerBuilder builder,
        string mediaType,
        string description,
        string example
    ) => builder.WithMetadata(new RawBody(mediaType, description, example));

    /// <summary>Says what a path parameter looks like.</summary>
    public static RouteHandlerBuilder WithParameter(
        this RouteHandlerBuilder builder,
        string name,
        string description,
        string pattern,
        int length,
        string example
    ) => builder.WithMetadata(new DescribedParameter(name, description, pattern, length, example));

    public static async Task DescribeAsync(
        OpenApiOperation operation,
        OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken
    )
    {
        var traits = new Traits(context.Description, context.ApplicationServices);
        DescribeCaller(operation, traits, context.Document!);
        DescribeParameters(operation, traits);
        await DescribeBodyAsync(operation, traits, context, cancellationToken);
        DescribeAnswers(operation, traits, context.Document!);
        await DescribeProblemsAsync(operation, traits, context, cancellationToken);
    }

    private static void DescribeCaller(OpenApiOperation operation, Traits traits, OpenApiDocument document)
    {
        if (traits.IsAnonymous)
        {
            operation.Security = []; // said, not forgotten
            operation.Description = $"{operation.Description}\n\nNeeds no key.".TrimStart();
            return;
        }

        string[] schemes = [Documentation.Scheme, Documentation.TokenScheme, Documentation.SessionScheme];
        operation.Security =
        [
            .. schemes
                .Where(scheme => traits.TakesKeys || scheme != Documentation.Scheme)
                .Select(scheme => new OpenApiSecurityRequirement
                {
                    [new OpenApiSecuritySchemeReference(scheme, document)] = [],
                }),
        ];
        var need =
            traits.Permission is { } permission ? $"the permission `{permission}`"
            : traits.TakesKeys ? "somebody who is known, whatever he may do"
            : "a user; a key is none";
        operation.Description = $"{operation.Description}\n\nNeeds {need}.".TrimStart();
    }

    private static void DescribeParameters(OpenApiOperation operation, Traits traits)
    {
        operation.Parameters ??= [];
        if (traits.Find<ListFilters>() is { } list)
        {
            DescribedList.AddTo(operation.Parameters, list);
        }
        else if (traits.Find<AnswerFilters>() is { } answer)
        {
            DescribedList.AddTo(operation.Parameters, answer.Filters);
        }

        DocumentedHeaders.AddTo(operation.Parameters, traits);
        foreach (var parameter in operation.Parameters.OfType<OpenApiParameter>())
        {
            if (traits.All<DescribedParameter>().FirstOrDefault(one => one.Name == parameter.Name) is { } described)
            {
                parameter.Description = described.Description;
                parameter.Schema = new OpenApiSchema
                {
                    Type = JsonSchemaType.String,
                    Pattern = described.Pattern,
                    MinLength = described.Length,
                    MaxLength = described.Length,
                };
                parameter.Example = described.Example;
            }
            else if (parameter is { In: ParameterLocation.Path, Schema: OpenApiSchema schema })
            {
                DescribePlace(parameter, schema, traits.Shown);
            }
            else if (parameter.Schema is OpenApiSchema { Type: JsonSchemaType.Boolean })
            {
                parameter.Example ??= true;
            }
            else if (parameter.Schema is OpenApiSchema { Default: { } usual })
            {
                parameter.Example ??= usual.DeepClone();
            }
        }
    }

    // a path names a thing by its id, or configuration by its name too; the example is of what is shown there
    private static void DescribePlace(OpenApiParameter parameter, OpenApiSchema schema, JsonNode? shown)
    {
        if (schema.Format == "uuid")
        {
            schema.MaxLength = 36;
            parameter.Description ??= "Its id.";
            parameter.Example ??= shown?["id"]?.DeepClone() ?? Story.Event.ToString();
            return;
        }

        schema.MaxLength = Slug.MaxLength;
        schema.Pattern = Slug.Pattern;
        parameter.Description ??= "Its id or its name.";
        parameter.Example ??= shown?["name"]?.DeepClone() ?? Story.Name;
    }

    private static async Task DescribeBodyAsync(
        OpenApiOperation operation,
        Traits traits,
        OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken
    )
    {
        var raw = traits.All<RawBody>().ToArray();
        if (operation.RequestBody is not OpenApiRequestBody body)
        {
            if (raw.Length == 0)
            {
                return;
            }

            operation.RequestBody = body = new OpenApiRequestBody();
        }

        var limit = traits.Find<BodyLimit>()?.Bytes ?? BodyLimit.Default;
        body.Required = true;
        body.Description ??= $"{limit / 1024} KiB at most.";
        body.Content ??= new Dictionary<string, OpenApiMediaType>();
        foreach (var (mediaType, media) in body.Content)
        {
            var types = traits
                .All<BodyOfType>()
                .Where(one => one.MediaType == mediaType)
                .Select(one => one.Type)
                .DefaultIfEmpty(traits.Body!.RequestType!)
                .ToArray();
            var schemas = new List<IOpenApiSchema>();
            foreach (var type in types)
            {
                var schema = await context.GetOrCreateSchemaAsync(type, null, cancellationToken);
                schemas.Add(DocumentedLimits.Refer(type, schema, context.Document!));
                await DocumentedLimits.AddChoicesAsync(type, context, cancellationToken);
            }

            media.Schema = schemas is [var only] ? only : new OpenApiSchema { AnyOf = schemas };
            media.Example = WithoutNulls(Examples.Of(types[0]));
        }

        foreach (var (mediaType, description, example) in raw)
        {
            body.Content[mediaType] = new OpenApiMediaType
            {
                Schema = new OpenApiSchema { Description = description },
                Example = example,
            };
        }
    }

    private static void DescribeAnswers(OpenApiOperation operation, Traits traits, OpenApiDocument document)
    {
        foreach (var produced in traits.All<IProducesResponseTypeMetadata>())
        {
            if (operation.Responses?.GetValueOrDefault($"{produced.StatusCode}") is not OpenApiResponse response)
            {
                continue;
            }

            response.Description = produced.StatusCode switch
            {
                StatusCodes.Status200OK => "Here it is.",
                StatusCodes.Status201Created => "It is made.",
                StatusCodes.Status202Accepted => "It is stored, and will be acted on.",
                StatusCodes.Status204NoContent => "It is done.",
                _ => response.Description,
            };
            foreach (var (mediaType, media) in response.Content ?? new Dictionary<string, OpenApiMediaType>())
            {
                var example = produced.Type is null ? null : Examples.Of(produced.Type);
                media.Example =
                    mediaType == EventStream.ContentType
                        ? AsEvent(media, traits.Find<ShownEvent>()!, example!)
                        : example;
            }

            DocumentedHeaders.AddTo(response, produced.StatusCode, traits, document);
        }

        if (traits.ShowsResource)
        {
            var known = new OpenApiResponse { Description = "The caller has it as it is." };
            DocumentedHeaders.AddTo(known, StatusCodes.Status304NotModified, traits, document);
            operation.Responses!["304"] = known;
        }
    }

    // a stream is text, of which the schema is that of what each event carries
    private static JsonNode AsEvent(OpenApiMediaType media, ShownEvent shown, JsonNode data)
    {
        var carried = ((OpenApiSchemaReference)media.Schema!).Reference.Id;
        media.Schema = new OpenApiSchema
        {
            Description = $"Server-sent events; the data of each is a {carried}.",
            Extensions = new Dictionary<string, IOpenApiExtension>(StringComparer.Ordinal)
            {
                ["contentSchema"] = new JsonNodeExtension(
                    new JsonObject { ["$ref"] = $"#/components/schemas/{carried}" }
                ),
            },
        };
        return $"id: {shown.Id}\nevent: {shown.Name}\ndata: {data.ToJsonString()}\n\n";
    }

    private static async Task DescribeProblemsAsync(
        OpenApiOperation operation,
        Traits traits,
        OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken
    )
    {
        var document = context.Document!;
        document.AddComponent(
            nameof(ProblemBody),
            await context.GetOrCreateSchemaAsync(typeof(ProblemBody), null, cancellationToken)
        );
        operation.Responses ??= [];
        foreach (var codes in DocumentedProblems.Of(traits))
        {
            var response = new OpenApiResponse
            {
                Description = string.Join('\n', codes.Select(code => $"- `{code.Code}`: {code.Title}")),
                Content = new Dictionary<string, OpenApiMediaType>
                {
                    [ProblemResponse.ContentType] = new()
                    {
                        Schema = new OpenApiSchemaReference(nameof(ProblemBody), document),
                        Examples = codes.ToDictionary(
                            code => code.Code,
                            code => (IOpenApiExample)Refer(code, document)
                        ),
                    },
                },
            };
            DocumentedHeaders.AddTo(response, codes.Key, traits, document);
            operation.Responses[$"{codes.Key}"] = response;
        }
    }

    private static OpenApiExampleReference Refer(ProblemCode code, OpenApiDocument document)
    {
        document.AddComponent<IOpenApiExample>(
            code.Code,
            new OpenApiExample { Summary = code.Title, Value = DocumentedProblems.ExampleOf(code) }
        );
        return new OpenApiExampleReference(code.Code, document);
    }

    // what a caller may leave out is left out
    private static JsonNode? WithoutNulls(JsonNode? example)
    {
        if (example is JsonObject members)
        {
            foreach (var name in members.Where(member => member.Value is null).Select(member => member.Key).ToArray())
            {
                members.Remove(name);
            }
        }

        return example;
    }
}
