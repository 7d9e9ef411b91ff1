using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Telemetry;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Scalar.AspNetCore;

namespace Bellhop.Infrastructure.Http;

/// <summary>The API described by itself: OpenAPI 3.1 at <c>/openapi.json</c>, pages to read and try it at <c>/docs</c>.</summary>
public static class Documentation
{
    private const string Scheme = "apiKey";

    // everything the page needs is served from here; it writes styles into itself
    private const string PagePolicy =
        "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        + "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
        + "frame-ancestors 'none'; base-uri 'none'";

    public static IServiceCollection AddDocumentation(this IServiceCollection services) =>
        services.AddOpenApi(options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            options.CreateSchemaReferenceId = type =>
                NameOf(type.Type) ?? OpenApiOptions.CreateDefaultSchemaReferenceId(type);
            options.AddSchemaTransformer(
                (schema, context, _) =>
                {
                    if (context.JsonTypeInfo.Type == typeof(ProblemBody))
                    {
                        schema.Required?.Remove("errors"); // left out where there are none
                    }

                    return Task.CompletedTask;
                }
            );
            options.AddDocumentTransformer((document, _, _) => Describe(document));
            options.AddOperationTransformer(Describe);
        });

    public static WebApplication MapDocumentation(this WebApplication app)
    {
        app.MapOpenApi("/openapi.json").AllowAnonymous().CachedFor(300);
        app.MapScalarApiReference(
                "/docs",
                options =>
                    options
                        .WithTitle("Bellhop API")
                        .WithOpenApiRoutePattern("/openapi.json")
                        .DisableDefaultFonts()
                        .DisableTelemetry()
                        .DisableAgent()
            )
            .AllowAnonymous()
            .AddEndpointFilter(
                (context, next) =>
                {
                    context.HttpContext.Response.Headers.ContentSecurityPolicy = PagePolicy;
                    return next(context);
                }
            );
        return app;
    }

    // the parts of a slice are all called alike: the slice tells them apart
    private static string? NameOf(Type type) =>
        type.DeclaringType is { } slice && slice.Namespace?.StartsWith("Bellhop", StringComparison.Ordinal) == true
            ? slice.Name + type.Name
            : null;

    private static Task Describe(OpenApiDocument document)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Bellhop",
            Version = BuildInfo.Version,
            Description =
                "Takes in events and webhooks, decides by automations, does the work as jobs and sends signed webhooks. "
                + "Errors are application/problem+json (RFC 9457) with a stable code.",
            License = new OpenApiLicense { Name = "MIT", Identifier = "MIT" },
        };
        document.Servers = []; // wherever it was fetched from
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            [Scheme] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                BearerFormat = "bh_…",
                Description = "An API key, made by bellhop api-keys create.",
            },
        };
        return Task.CompletedTask;
    }

    private static async Task Describe(
        OpenApiOperation operation,
        OpenApiOperationTransformerContext context,
        CancellationToken cancellationToken
    )
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        operation.Responses ??= [];
        var problem = await context.GetOrCreateSchemaAsync(typeof(ProblemBody), null, cancellationToken);
        context.Document?.AddComponent(nameof(ProblemBody), problem);
        if (!metadata.OfType<IAllowAnonymous>().Any())
        {
            operation.Security =
            [
                new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, context.Document)] = [] },
            ];
            operation.Responses.TryAdd("401", new OpenApiResponse { Description = "No valid API key" });
            operation.Responses.TryAdd("403", new OpenApiResponse { Description = "The key lacks the permission" });
        }

        if (metadata.OfType<RequiredPermission>().FirstOrDefault() is { } permission)
        {
            operation.Description = $"{operation.Description}\n\nNeeds the permission `{permission.Name}`.".TrimStart();
        }

        if (metadata.OfType<ListFilters>().FirstOrDefault() is { } list)
        {
            Describe(operation, list);
        }

        if (operation.RequestBody is not null)
        {
            operation.Responses.TryAdd("400", new OpenApiResponse { Description = "The body could not be read" });
            operation.Responses.TryAdd("413", new OpenApiResponse { Description = "The body is too large" });
            operation.Responses.TryAdd("415", new OpenApiResponse { Description = "Another media type" });
        }

        operation.Responses.TryAdd("500", new OpenApiResponse { Description = "A fault of the service" });
        operation.Responses.TryAdd(
            "503",
            new OpenApiResponse { Description = "Busy, or the database is away; repeat it" }
        );
        foreach (var (status, response) in operation.Responses)
        {
            if (status[0] is '4' or '5' && response is OpenApiResponse error)
            {
                error.Content = new Dictionary<string, OpenApiMediaType>
                {
                    [ProblemResponse.ContentType] = new()
                    {
                        Schema = new OpenApiSchemaReference(nameof(ProblemBody), context.Document),
                    },
                };
            }
        }
    }

    /// <summary>What every list takes, and its own filters where the endpoint does not bind them itself.</summary>
    private static void Describe(OpenApiOperation operation, ListFilters list)
    {
        operation.Parameters ??= [];
        var known = operation.Parameters.Select(parameter => parameter.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var name in list.Names.Where(name => !known.Contains(name)))
        {
            Add(
                name,
                "Only those with this value.",
                new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = 255 }
            );
        }

        Add(
            "limit",
            $"How many; {PageRequest.DefaultLimit} where nothing is said.",
            new OpenApiSchema
            {
                Type = JsonSchemaType.Integer,
                Minimum = "1",
                Maximum = $"{PageRequest.MaxLimit}",
            }
        );
        Add(
            "cursor",
            "next_cursor of the page before, with the same filters.",
            new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = CursorSigner.MaxLength }
        );

        void Add(string name, string description, OpenApiSchema schema) =>
            operation.Parameters.Add(
                new OpenApiParameter
                {
                    Name = name,
                    In = ParameterLocation.Query,
                    Description = description,
                    Schema = schema,
                }
            );
    }
}
