using System.Text.Json.Nodes;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http.Idempotency;
using Microsoft.Net.Http.Headers;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>The headers of answers, each described once in the document.</summary>
public static class DocumentedHeaders
{
    private const string Tag = "\"0199c8a12c407d528b0e41f7a96c3d02-3\"";

    private static readonly Dictionary<string, OpenApiHeader> All = new(StringComparer.Ordinal)
    {
        [RequestIds.Header] = Text(
            "Names this request in logs and problems: the caller's own where it sent a sound one.",
            64,
            Story.RequestId
        ),
        [HeaderNames.RetryAfter] = Number("Seconds after which the same request may succeed.", 86_400, 1),
        [HeaderNames.WWWAuthenticate] = Text("How to prove who one is (RFC 6750).", 255, "Bearer realm=\"bellhop\""),
        [HeaderNames.Location] = Text("Where the thing made is, where it is one.", 255, $"/v1/jobs/{Story.Job}"),
        [HeaderNames.Link] = Text(
            "Where the next page is, where there is one (RFC 8288).",
            8_192,
            "</v1/jobs?limit=50&cursor=Zk3rXa>; rel=\"next\""
        ),
        ["RateLimit-Policy"] = Text(
            "The limits that apply (draft-ietf-httpapi-ratelimit-headers-11).",
            1_024,
            "\"key-default\";q=100;w=60"
        ),
        ["RateLimit"] = Text(
            "What is left of them, and in how many seconds they are full again.",
            1_024,
            "\"key-default\";r=99;t=1"
        ),
        [HeaderNames.ETag] = Text("Names this state of the resource (RFC 9110 section 8.8.3).", 64, Tag),
        ["Preference-Applied"] = Text("How long the outcome was waited for (RFC 7240).", 64, "wait=10"),
        [IdempotentRequests.ReplayedHeader] = Text("The answer is that of the first request with this key.", 4, "true"),
    };

    public static void Describe(OpenApiDocument document)
    {
        foreach (var (name, header) in All)
        {
            document.AddComponent<IOpenApiHeader>(name, header);
        }
    }

    /// <summary>The headers that a request may or must carry.</summary>
    public static void AddTo(IList<IOpenApiParameter> parameters, Traits traits)
    {
        if (traits.Permission is not null)
        {
            Add(
                ProjectHeader.Name,
                "Of a user who is a member of several projects: the one it is about, by id or name. Keys have one.",
                "default",
                Slug.MaxLength
            );
        }

        if (traits.ShowsResource)
        {
            Add(HeaderNames.IfNoneMatch, "ETags the caller has: 304 where one of them is still right.", Tag, 1_024);
        }

        if (traits.ChangesResource)
        {
            Add(HeaderNames.IfMatch, "The ETag of the state that is to be changed, or *.", Tag, 1_024);
            Add(HeaderNames.IfNoneMatch, "Only *: if there is none.", "*", 1);
        }

        if (traits.TakesIdempotencyKey)
        {
            Add(
                IdempotencyKey.Header,
                "Visible ASCII, bare or quoted: a repetition with the same key does nothing and is answered the same.",
                "ticket-7-refund",
                (2 * IdempotencyKey.MaxLength) + 2 // quoted, each character may be escaped
            );
        }

        if (traits.Waits)
        {
            Add(
                "Prefer",
                $"wait=N: up to {PreferWait.MaxSeconds} s for the outcome, which is then answered.",
                "wait=10",
                255
            );
        }

        if (traits.IsStream)
        {
            Add("Last-Event-ID", "The id of the last event that was seen.", "1-succeeded", 255);
        }

        void Add(string name, string description, string example, int maxLength) =>
            parameters.Add(
                new OpenApiParameter
                {
                    Name = name,
                    In = ParameterLocation.Header,
                    Description = description,
                    Schema = new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = maxLength },
                    Example = example,
                }
            );
    }

    /// <summary>The headers of an answer.</summary>
    public static void AddTo(OpenApiResponse response, int status, Traits traits, OpenApiDocument document)
    {
        response.Headers ??= new Dictionary<string, IOpenApiHeader>();
        foreach (var name in Of(status, traits))
        {
            response.Headers[name] = new OpenApiHeaderReference(name, document);
        }
    }

    private static IEnumerable<string> Of(int status, Traits traits) =>
        [
            RequestIds.Header,
            .. status < 500 ? new[] { "RateLimit-Policy", "RateLimit" } : [],
            .. status is 200 or 201 or 304 && (traits.ShowsResource || traits.ChangesResource)
                ? new[] { HeaderNames.ETag }
                : [],
            .. status == 200 && traits.IsList ? new[] { HeaderNames.Link } : [],
            .. status is 201 or 202 ? new[] { HeaderNames.Location } : [],
            .. status < 300 && traits.TakesIdempotencyKey ? new[] { IdempotentRequests.ReplayedHeader } : [],
            .. status == 200 && traits.Waits ? new[] { "Preference-Applied" } : [],
            .. status == 401 ? new[] { HeaderNames.WWWAuthenticate } : [],
            .. status is 429 or 503 || (status == 409 && traits.TakesIdempotencyKey)
                ? new[] { HeaderNames.RetryAfter }
                : [],
        ];

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
