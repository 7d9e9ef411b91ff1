using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>The headers of answers, each described once in the document.</summary>
public static class DocumentedHeaders
{
    private static readonly Dictionary<string, OpenApiHeader> All = new(StringComparer.Ordinal)
    {
        [RequestIds.Header] = Text(
            "Names this request in logs and problems: the caller's own where it sent a sound one.",
            64,
            Story.RequestId
        ),
        ["Retry-After"] = Number("Seconds after which the same request may succeed.", 86_400, 1),
        ["WWW-Authenticate"] = Text("How to prove who one is (RFC 6750).", 255, "Bearer realm=\"bellhop\""),
        ["Location"] = Text("Where the thing made is, where it is one.", 255, $"/v1/jobs/{Story.Job}"),
        ["Link"] = Text(
            "Where the next page is, where there is one (RFC 8288).",
            8_192,
            "</v1/jobs?limit=50&cursor=Zk3rXa>; rel=\"next\""
        ),
    };

    public static void Describe(OpenApiDocument document)
    {
        foreach (var (name, header) in All)
        {
            document.AddComponent<IOpenApiHeader>(name, header);
        }
    }

    public static void AddTo(OpenApiResponse response, int status, IList<object> metadata, OpenApiDocument document)
    {
        response.Headers ??= new Dictionary<string, IOpenApiHeader>();
        foreach (var name in Of(status, metadata.OfType<ListFilters>().Any()))
        {
            response.Headers[name] = new OpenApiHeaderReference(name, document);
        }
    }

    private static IEnumerable<string> Of(int status, bool isList)
    {
        yield return RequestIds.Header;
        switch (status)
        {
            case StatusCodes.Status200OK when isList:
                yield return "Link";
                break;
            case StatusCodes.Status201Created or StatusCodes.Status202Accepted:
                yield return "Location";
                break;
            case StatusCodes.Status401Unauthorized:
                yield return "WWW-Authenticate";
                break;
            case StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable:
                yield return "Retry-After";
                break;
        }
    }

    private static OpenApiHeader Text(string description, int maxLength, string example) =>
        new()
        {
            Description = description,
            Schema = new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = maxLength },
            Example = example,
        };

    private static OpenApiHeader Number(string description, int max, int example) =>
        new()
        {
            Description = description,
            Schema = new OpenApiSchema
            {
                Type = JsonSchemaType.Integer,
                Format = "int32",
                Minimum = "0",
                Maximum = $"{max}",
            },
            Example = JsonValue.Create(example),
        };
}
