using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>The API described by itself: OpenAPI 3.1 at <c>/openapi.json</c>, pages to read and try it at <c>/docs</c>.</summary>
public static class Documentation
{
    private const string Scheme = "ApiKey";

    public static IServiceCollection AddDocumentation(this IServiceCollection services) =>
        services.AddOpenApi(options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        });

    public static WebApplication MapDocumentation(this WebApplication app)
    {
        app.MapOpenApi("/openapi.json").AllowAnonymous();
        return app;
    }
}
