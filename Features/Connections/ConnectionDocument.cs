using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Microsoft.OpenApi;

namespace Bellhop.Features.Connections;

/// <summary>A connection as its author writes it.</summary>
/// <param name="Name">1 to 63 lower-case letters, digits and hyphens.</param>
/// <param name="Kind">Stays as it is once the connection is made.</param>
/// <param name="Config">That of the kind: <c>http</c> HttpConfig, <c>postgresql</c> and <c>mysql</c> DatabaseConfig, <c>smtp</c> SmtpConfig, <c>s3</c> S3Config, <c>llm</c> LlmConfig.</param>
/// <param name="Secret">The name of a secret; or <c>{"value":"…"}</c>, which only this connection has; or <c>{"set":true}</c>, as it is shown: its own stays.</param>
/// <param name="Tags">Up to 20 slugs, by which members and keys may be narrowed to some connections.</param>
public sealed record ConnectionDocument(
    string? Name,
    string? Kind,
    [property: AnyOf(
        typeof(HttpConfig),
        typeof(DatabaseConfig),
        typeof(SmtpConfig),
        typeof(S3Config),
        typeof(LlmConfig)
    )]
        JsonElement? Config,
    [property: SecretShape] JsonElement? Secret = null,
    IReadOnlyList<string>? Tags = null
) : INamedDocument<ConnectionDocument>, ITagged, IExampled<ConnectionDocument>
{
    public static ConnectionDocument Example =>
        new(
            "crm",
            ConnectionKind.Http,
            Story.Json("""{"base_url":"https://crm.example.com/api","auth":{"type":"bearer"}}"""),
            Story.Json("""{"value":"correct horse battery staple"}""")
        );

    public ConnectionDocument Named(string name) => this with { Name = name };

    public override string ToString() => $"{Kind} {Name}";
}

/// <summary>A connection as it is shown: never its secret.</summary>
/// <param name="Config">As it was written.</param>
/// <param name="Secret">The name of a secret; <c>{"set":true}</c>: one of its own; null: none.</param>
/// <param name="Revision">1, and one more with each change.</param>
public sealed record ConnectionView(
    Guid Id,
    [property: SlugShape] string Name,
    [property: WordOf(typeof(ConnectionKind))] string Kind,
    [property: AnyOf(
        typeof(HttpConfig),
        typeof(DatabaseConfig),
        typeof(SmtpConfig),
        typeof(S3Config),
        typeof(LlmConfig)
    )]
        JsonElement Config,
    [property: SecretShape(IsShown = true)] JsonElement? Secret,
    [property: MaxLength(AccessRules.MaxTags), Each(Slug.MaxLength)] IReadOnlyList<string> Tags,
    [property: Range(1, int.MaxValue)] int Revision,
    DateTime CreatedAt,
    DateTime UpdatedAt
) : IRevised, IExampled<ConnectionView>
{
    public static ConnectionView Example =>
        new(
            Story.Connection,
            "crm",
            ConnectionKind.Http,
            Story.Json("""{"base_url":"https://crm.example.com/api","auth":{"type":"bearer"}}"""),
            Story.Json("\"crm-token\""),
            ["sales"],
            1,
            Story.SetUpAt,
            Story.SetUpAt
        );
}

/// <summary>A connection's row without its secret. Not by constructor: Dapper cannot give an array to one.</summary>
internal sealed record ConnectionRow
{
    public required Guid Id { get; init; }

    public required string Name { get; init; }

    public required string Kind { get; init; }

    public required string Config { get; init; }

    public string? SecretName { get; init; }

    public required bool HasSecret { get; init; }

    public required string[] Tags { get; init; }

    public Guid? OwnerId { get; init; }

    public required int Revision { get; init; }

    public required DateTime CreatedAt { get; init; }

    public required DateTime UpdatedAt { get; init; }

    public ConnectionView ToView() =>
        new(Id, Name, Kind, JsonElement.Parse(Config), Secret, Tags, Revision, CreatedAt, UpdatedAt);

    public ConnectionDocument ToDocument() => new(Name, Kind, JsonElement.Parse(Config), Secret, Tags);

    private JsonElement? Secret =>
        SecretName is not null ? JsonSerializer.SerializeToElement(SecretName, JsonRules.Options)
        : HasSecret ? SecretChoice.Own
        : null;
}

/// <summary>A text or an object: the name of a secret, a secret, or the sign that there is one.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SecretShapeAttribute : Attribute, IDescribesSchema
{
    /// <summary>Whether it is an answer, which never holds a value.</summary>
    public bool IsShown { get; init; }

    public void Describe(OpenApiSchema schema)
    {
        var members = new Dictionary<string, IOpenApiSchema>
        {
            ["set"] = new OpenApiSchema { Type = JsonSchemaType.Boolean },
        };
        if (!IsShown)
        {
            members["value"] = new OpenApiSchema
            {
                Type = JsonSchemaType.String,
                MinLength = 1,
                MaxLength = Secrets.SecretValue.MaxBytes,
            };
        }

        var name = new OpenApiSchema { Type = JsonSchemaType.String };
        new SlugShapeAttribute().Describe(name);
        schema.Type = null;
        schema.AnyOf =
        [
            name,
            new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                AdditionalPropertiesAllowed = false,
                Properties = members,
            },
            new OpenApiSchema { Type = JsonSchemaType.Null },
        ];
    }
}
