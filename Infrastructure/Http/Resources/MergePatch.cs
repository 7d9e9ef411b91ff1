using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Metadata;

namespace Bellhop.Infrastructure.Http.Resources;

/// <summary>A JSON Merge Patch (RFC 7396): members replace those of the same name, null takes one away, arrays are replaced whole.</summary>
public sealed class MergePatch<T> : IEndpointParameterMetadataProvider
    where T : class
{
    private readonly byte[] _patch;

    private MergePatch(byte[] patch) => _patch = patch;

    public static async ValueTask<MergePatch<T>> BindAsync(HttpContext context, ParameterInfo parameter)
    {
        var bytes = await RequestBody.ReadAsync(context);
        return RequestBody.Parse<JsonElement>(bytes).ValueKind == JsonValueKind.Object
            ? new MergePatch<T>(bytes)
            : throw RequestBody.Malformed(FieldError.At("", "wrong_type", "A merge patch is a JSON object."));
    }

    /// <summary>The patch that sets these members, for callers that are no clients, such as the command line.</summary>
    public static MergePatch<T> Of(object members) =>
        new(JsonSerializer.SerializeToUtf8Bytes(members, members.GetType(), JsonRules.Options));

    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder) =>
        builder.Metadata.Add(new AcceptsMetadata(["application/merge-patch+json", "application/json"], typeof(T)));

    /// <summary>What becomes of the document. A member that is none of its own, or of another type, is a 400 with its pointer.</summary>
    public Result<T> ApplyTo(T document)
    {
        if (FindUnknown() is { } unknown)
        {
            return unknown;
        }

        var target = JsonSerializer.SerializeToNode(document, JsonRules.Options);
        var merged = Merge(target, JsonNode.Parse(_patch))!;
        try
        {
            return RequestBody.Parse<T>(JsonSerializer.SerializeToUtf8Bytes(merged, JsonRules.Options));
        }
        catch (RefusedRequestException exception)
        {
            return exception.Problem;
        }
    }

    /// <summary>A member that is there to be taken away leaves no trace in what comes of it: it is looked for in the patch itself.</summary>
    private Problem? FindUnknown()
    {
        try
        {
            RequestBody.Parse<T>(_patch);
            return null;
        }
        catch (RefusedRequestException exception)
        {
            return exception.Problem.Errors is [{ Code: "unknown_member" }] ? exception.Problem : null;
        }
    }

    private static JsonNode? Merge(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject changes)
        {
            return patch?.DeepClone();
        }

        var merged = target is JsonObject before ? before : [];
        foreach (var (name, value) in changes)
        {
            var old = merged[name];
            merged.Remove(name);
            if (value is not null)
            {
                merged[name] = Merge(old, value);
            }
        }

        return merged;
    }
}
