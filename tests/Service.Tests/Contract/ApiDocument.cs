using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Bellhop.Tests.Support;
using Json.Schema;
using Xunit;

namespace Bellhop.Tests.Contract;

/// <summary>The document that the running service gives of itself, and whether something is as it says.</summary>
internal sealed class ApiDocument(JsonObject root)
{
    private const string Schemas = "#/components/schemas/";

    private static readonly EvaluationOptions Strict = new()
    {
        OutputFormat = OutputFormat.List,
        RequireFormatValidation = true,
    };

    // by their text: many places hold the same one
    private readonly ConcurrentDictionary<string, JsonSchema> _compiled = new(StringComparer.Ordinal);

    public JsonObject Root { get; } = root;

    public IReadOnlyList<Operation> Operations { get; } =
    [
        .. root["paths"]!
            .AsObject()
            .SelectMany(path =>
                path.Value!.AsObject()
                    .Select(method => new Operation(method.Key.ToUpperInvariant(), path.Key, method.Value!.AsObject()))
            ),
    ];

    public static async Task<ApiDocument> ReadAsync(ServiceFixture service)
    {
        using var client = service.NewClient();
        var text = await client.GetStringAsync("/openapi.json", TestContext.Current.CancellationToken);
        return new ApiDocument(JsonNode.Parse(text)!.AsObject());
    }

    /// <summary>What a reference leads to; anything else as it is.</summary>
    public JsonObject Follow(JsonNode node) =>
        node["$ref"]?.GetValue<string>() is { } reference
            ? Follow(
                reference
                    .Split('/')[1..]
                    .Aggregate((JsonNode)Root, (at, name) => at[name.Replace("~1", "/").Replace("~0", "~")]!)
            )
            : node.AsObject();

    /// <summary>Everything about the value that is not as the schema says.</summary>
    public IReadOnlyList<string> Faults(JsonNode schema, JsonNode? value)
    {
        var results = _compiled.GetOrAdd(schema.ToJsonString(), Compile).Evaluate(value, Strict);
        return results.IsValid
            ? []
            :
            [
                .. results
                    .Details.Where(detail => detail.Errors is not null)
                    .SelectMany(detail => detail.Errors!.Select(error => $"{detail.InstanceLocation}: {error.Value}")),
            ];
    }

    // a schema with every other one beside it, so that references lead somewhere
    private JsonSchema Compile(string text)
    {
        var whole = JsonNode.Parse(text.Replace(Schemas, "#/$defs/", StringComparison.Ordinal))!.AsObject();
        whole["$defs"] = JsonNode.Parse(
            Root["components"]!["schemas"]!.ToJsonString().Replace(Schemas, "#/$defs/", StringComparison.Ordinal)
        );
        return JsonSchema.FromText(whole.ToJsonString());
    }
}

/// <summary>One operation of the document.</summary>
internal sealed record Operation(string Method, string Path, JsonObject Node)
{
    /// <summary>Keys may not call it.</summary>
    public bool IsForUsers =>
        Node["security"]?.AsArray() is { Count: > 0 } ways && !ways.Any(way => way!.AsObject().ContainsKey("apiKey"));

    public IEnumerable<JsonObject> Parameters => Node["parameters"]?.AsArray().Select(one => one!.AsObject()) ?? [];

    public IEnumerable<KeyValuePair<string, JsonNode?>> Bodies => Node["requestBody"]?["content"]?.AsObject() ?? [];

    public IEnumerable<KeyValuePair<string, JsonNode?>> Answers => Node["responses"]!.AsObject();

    public JsonObject? Answer(int status) => Node["responses"]![$"{status}"]?.AsObject();

    public override string ToString() => $"{Method} {Path}";
}
