using System.Text.Json.Nodes;
using Bellhop.Infrastructure.Auth;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>What a body of one media type is, where it is not what the other types of the operation are.</summary>
public sealed record BodyOfType(string MediaType, Type Type);

/// <summary>A parameter whose form its type does not tell.</summary>
public sealed record DescribedParameter(string Name, string Description, OpenApiSchema Schema, string Example);

/// <summary>Completes one operation of the document: its examples, parameters, headers and errors.</summary>
public static class DocumentedOperation
{
    /// <summary>Says that a body of this media type is of another type than the others.</summary>
    public static RouteHandlerBuilder WithBodyOf<T>(this RouteHandlerBuilder builder, string mediaType) =>
        builder.WithMetadata(new BodyOfType(mediaType, typeof(T)));

    /// <summary>Says what a parameter looks like.</summary>
    public static RouteHandlerBuilder WithParameter(
        this RouteHandlerBuilder builder,
        string name,
        string description,
        OpenApiSchema schema,
        string example
    ) => builder.WithMetadata(new DescribedParameter(name, description, schema, example));

    public static async Task DescribeAsync(
        OpenApiOperation operation,
        OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken
    )
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        DescribeCaller(operation, metadata, context.Document!);
        DescribeParameters(operation, metadata);
        await DescribeBodyAsync(operation, metadata, context, cancellationToken);
        DescribeAnswers(operation, metadata, context.Document!);
        await DescribeProblemsAsync(operation, metadata, context, cancellationToken);
    }

    private static void DescribeCaller(OpenApiOperation operation, IList<object> metadata, OpenApiDocument document)
    {
        if (metadata.OfType<IAllowAnonymous>().Any())
        {
            operation.Security = []; // said, not forgotten
            operation.Description = $"{operation.Description}\n\nNeeds no key.".TrimStart();
            return;
        }

        operation.Security =
        [
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Documentation.Scheme, document)] = [] },
        ];
        var permission = metadata.OfType<RequiredPermission>().First().Name;
        operation.Description = $"{operation.Description}\n\nNeeds the permission `{permission}`.".TrimStart();
    }

    private static void DescribeParameters(OpenApiOperation operation, IList<object> metadata)
    {
        operation.Parameters ??= [];
        if (metadata.OfType<ListFilters>().FirstOrDefault() is { } list)
        {
            DescribedList.AddTo(operation.Parameters, list, metadata);
        }

        foreach (var parameter in operation.Parameters.OfType<OpenApiParameter>())
        {
            if (metadata.OfType<DescribedParameter>().FirstOrDefault(one => one.Name == parameter.Name) is { } described)
            {
                parameter.Description = described.Description;
                parameter.Schema = described.Schema;
                parameter.Example = described.Example;
            }
            else if (parameter is { In: ParameterLocation.Path, Schema: OpenApiSchema schema })
            {
                DescribePlace(parameter, schema);
            }
        }
    }

    // a path names a thing by its id, or configuration by its name too
    private static void DescribePlace(OpenApiParameter parameter, OpenApiSchema schema)
    {
        if (schema.Format == "uuid")
        {
            schema.MaxLength = 36;
            parameter.Description ??= "Its id.";
            parameter.Example ??= Story.Event.ToString();
            return;
        }

        schema.MaxLength = Slug.MaxLength;
        schema.Pattern = Slug.Pattern;
        parameter.Description ??= "Its id or its name.";
        parameter.Example ??= Story.Name;
    }

    private static async Task DescribeBodyAsync(
        OpenApiOperation operation,
        IList<object> metadata,
        OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken
    )
    {
        if (operation.RequestBody is not OpenApiRequestBody body)
        {
            return;
        }

        var limit = metadata.OfType<BodyLimit>().LastOrDefault()?.Bytes ?? BodyLimit.Default;
        body.Required = true;
        body.Description ??= $"{limit / 1024} KiB at most.";
        var usual = metadata.OfType<IAcceptsMetadata>().First().RequestType!;
        foreach (var (mediaType, media) in body.Content ?? new Dictionary<string, OpenApiMediaType>())
        {
            var own = metadata.OfType<BodyOfType>().FirstOrDefault(one => one.MediaType == mediaType);
            if (own is not null)
            {
                media.Schema = await context.GetOrCreateSchemaAsync(own.Type, null, cancellationToken);
            }

            media.Example = WithoutNulls(Examples.Of(own?.Type ?? usual));
        }
    }

    private static void DescribeAnswers(OpenApiOperation operation, IList<object> metadata, OpenApiDocument document)
    {
        foreach (var produced in metadata.OfType<IProducesResponseTypeMetadata>())
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
            foreach (var media in response.Content?.Values ?? [])
            {
                media.Example = produced.Type is null ? null : Examples.Of(produced.Type);
            }

            DocumentedHeaders.AddTo(response, produced.StatusCode, metadata, document);
        }
    }

    private static async Task DescribeProblemsAsync(
        OpenApiOperation operation,
        IList<object> metadata,
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
        var hasPath = operation.Parameters?.Any(parameter => parameter.In == ParameterLocation.Path) == true;
        foreach (var codes in DocumentedProblems.Of(metadata, hasPath, context.ApplicationServices))
        {
            var response = new OpenApiResponse
            {
                Description = string.Join('\n', codes.Select(code => $"- `{code.Code}`: {code.Title}")),
                Content = new Dictionary<string, OpenApiMediaType>
                {
                    [ProblemResponse.ContentType] = new()
                    {
                        Schema = new OpenApiSchemaReference(nameof(ProblemBody), document),
                        Examples = codes.ToDictionary(code => code.Code, code => (IOpenApiExample)Refer(code, document)),
                    },
                },
            };
            DocumentedHeaders.AddTo(response, codes.Key, metadata, document);
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
