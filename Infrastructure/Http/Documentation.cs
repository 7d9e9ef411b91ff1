using System.Text.Json;
using Bellhop.Infrastructure.Telemetry;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Scalar.AspNetCore;

namespace Bellhop.Infrastructure.Http;

/// <summary>The API described by itself: OpenAPI 3.1 at <c>/openapi.json</c>, pages to read and try it at <c>/docs</c>.</summary>
public static class Documentation
{
    internal const string Name = "v1";
    internal const string Scheme = "apiKey";
    internal const string TokenScheme = "accessToken";
    internal const string SessionScheme = "session";

    // everything the page needs is served from here; it writes styles into itself
    private const string PagePolicy =
        "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        + "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
        + "frame-ancestors 'none'; base-uri 'none'";

    public static IServiceCollection AddDocumentation(this IServiceCollection services) =>
        services
            .AddSingleton<WrittenDocument>()
            .AddOpenApi(
                Name,
                options =>
                {
                    options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
                    // JSON that is handed on as it is needs no name
                    options.CreateSchemaReferenceId = type =>
                        (Nullable.GetUnderlyingType(type.Type) ?? type.Type) == typeof(JsonElement)
                            ? null
                            : NameOf(type.Type) ?? OpenApiOptions.CreateDefaultSchemaReferenceId(type);
                    options.AddSchemaTransformer(DocumentedLimits.DescribeAsync);
                    options.AddOperationTransformer(DocumentedOperation.DescribeAsync);
                    options.AddDocumentTransformer(
                        (document, context, _) => Describe(document, context.ApplicationServices)
                    );
                }
            );

    /// <summary>Says what the operations with this tag are about.</summary>
    public static IServiceCollection AddDocumentTag(
        this IServiceCollection services,
        string name,
        string description
    ) => services.AddSingleton(new DocumentTag(name, description));

    public static WebApplication MapDocumentation(this WebApplication app)
    {
        app.MapGet("/openapi.json", (WrittenDocument document, HttpContext http) => document.AnswerAsync(http))
            .ExcludeFromDescription()
            .AllowAnonymous()
            .CachedFor(300);
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
    internal static string? NameOf(Type type) =>
        type switch
        {
            { IsGenericType: true } when type.GetGenericTypeDefinition() == typeof(Page<>) =>
                $"PageOf{NameOf(type.GetGenericArguments()[0]) ?? type.GetGenericArguments()[0].Name}",
            { DeclaringType: { } slice }
                when slice.Namespace?.StartsWith("Bellhop", StringComparison.Ordinal) == true => slice.Name + type.Name,
            _ => null,
        };

    private static Task Describe(OpenApiDocument document, IServiceProvider services)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Bellhop",
            Version = BuildInfo.Version,
            Description =
                "Takes in events and webhooks, decides by automations, does the work as jobs and sends signed webhooks. "
                + "Errors are application/problem+json (RFC 9457) with a stable code.",
            Contact = new OpenApiContact { Name = "Whoever runs this service" },
            License = new OpenApiLicense { Name = "MIT", Identifier = "MIT" },
        };
        document.Servers = [new OpenApiServer { Url = "/", Description = "Wherever this document was fetched from." }];
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            [Scheme] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                BearerFormat = "bh_…",
                Description = "An API key, made by bellhop api-keys create or POST /v1/api-keys.",
            },
            [TokenScheme] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                BearerFormat = "JWT",
                Description =
                    "An access token of POST /v1/auth/token, or of an issuer that the project trusts; checked as RFC8725 says.",
            },
            [SessionScheme] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.ApiKey,
                In = ParameterLocation.Cookie,
                Name = "__Host-bellhop",
                Description =
                    "A browser that signed in. What changes something needs X-CSRF-Token, or an Origin that is ours.",
            },
        };
        document.Tags = services
            .GetServices<DocumentTag>()
            .OrderBy(tag => tag.Name, StringComparer.Ordinal)
            .Select(tag => new OpenApiTag { Name = tag.Name, Description = tag.Description })
            .ToHashSet();
        DocumentedHeaders.Describe(document);
        DocumentedLimits.FinishRequests(document);
        return Task.CompletedTask;
    }
}

/// <summary>What a feature's operations have in common, in its own words.</summary>
public sealed record DocumentTag(string Name, string Description);
