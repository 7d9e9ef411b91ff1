using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bellhop.Features.Accounts.Tokens;

namespace Bellhop.Tests.Contract;

/// <summary>One request of the fuzzer.</summary>
/// <param name="Name">What is odd about it.</param>
internal sealed record FuzzCase(string Name, string Path)
{
    public byte[]? Body { get; init; }

    public string? ContentType { get; init; }

    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];
}

/// <summary>Makes the requests of one operation from what the document says of it.</summary>
/// <param name="ids">Ids of what there is, by the first segment of its path.</param>
/// <param name="key">A key that is one, where the examples show one that is none.</param>
internal sealed class FuzzCases(
    ApiDocument document,
    Operation operation,
    Random random,
    Func<string, string?> ids,
    string key
)
{
    // what the service sends webhooks to must not be anybody's
    private const string Elsewhere = "https://crm.example.com";
    private const string Nowhere = "https://127.0.0.1";

    private static readonly string[] Places =
    [
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "0199c8c5b0007c1e9a4f6d2b8e3a5c71",
        "no-such-name",
        "-1",
        "1e9",
        "%F0%9F%91%BB",
        "%D8%B9%D9%84%D9%8A",
        "%00",
        "a%2Fb",
        "%E2%80%AEabc",
        "%FF%FE",
        "a%20b",
        "a;b=c",
        new('a', 3_000),
    ];

    private static readonly string[] Types =
    [
        "text/plain",
        "application/xml",
        "application/json; charset=utf-16",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/cloudevents+xml",
        "json",
        "*/*",
    ];

    /// <summary>As the document shows them.</summary>
    public IEnumerable<FuzzCase> Valid()
    {
        yield return Request("as the examples say", operation.Bodies.FirstOrDefault());
        yield return Request(
            "with nothing that may be left out",
            operation.Bodies.FirstOrDefault(),
            onlyRequired: true
        );
        foreach (var body in operation.Bodies.Skip(1))
        {
            yield return Request($"as the example of {body.Key} says", body);
        }
    }

    /// <summary>At the edges of what the document allows, and beyond them.</summary>
    /// <param name="rounds">How many more there are that are changed at random.</param>
    public IEnumerable<FuzzCase> Odd(int rounds) =>
        OfPlaces()
            .Concat(OfParameters())
            .Concat(OfBodies())
            .Concat(Enumerable.Range(0, rounds).SelectMany(_ => AtRandom()));

    private IEnumerable<FuzzCase> OfPlaces() =>
        operation.Path.Contains('{')
            ? Places.Select(place =>
                Request($"at {place[..Math.Min(place.Length, 40)]}", operation.Bodies.FirstOrDefault()) with
                {
                    Path = operation.Path.Replace(
                        operation.Path[operation.Path.IndexOf('{')..(operation.Path.IndexOf('}') + 1)],
                        place,
                        StringComparison.Ordinal
                    ),
                }
            )
            : [];

    private IEnumerable<FuzzCase> OfParameters()
    {
        var usual = Request("", operation.Bodies.FirstOrDefault());
        yield return usual with
        {
            Name = "with a parameter that nobody knows",
            Path = $"{usual.Path}?colour=red",
        };
        yield return usual with
        {
            Name = "with a parameter that is no text",
            Path = $"{usual.Path}?colour=%FF",
        };
        foreach (var parameter in operation.Parameters)
        {
            var name = $"{parameter["name"]}";
            var values = FuzzValues
                .Of(document, parameter["schema"]!)
                .Select(value => AsText(value.Json))
                .OfType<string>()
                .Distinct(StringComparer.Ordinal);
            foreach (var value in values)
            {
                var what = $"{name} is {value[..Math.Min(value.Length, 40)]}";
                if ($"{parameter["in"]}" == "query")
                {
                    yield return usual with
                    {
                        Name = what,
                        Path = $"{usual.Path}?{name}={Uri.EscapeDataString(value)}",
                    };
                }
                else if ($"{parameter["in"]}" == "header" && value.All(character => character is >= ' ' and <= '~'))
                {
                    yield return usual with
                    {
                        Name = what,
                        Headers = [(name, value[..Math.Min(value.Length, 2_000)])],
                    };
                }
            }

            if ($"{parameter["in"]}" == "query")
            {
                yield return usual with
                {
                    Name = $"{name} twice",
                    Path = $"{usual.Path}?{name}=1&{name}=2",
                };
            }
        }

        foreach (var accept in new[] { "text/html", "application/json;q=0", "*/*;q=0.1", "rubbish" })
        {
            yield return usual with
            {
                Name = $"Accept: {accept}",
                Headers = [.. usual.Headers, ("Accept", accept)],
            };
        }
    }

    private IEnumerable<FuzzCase> OfBodies()
    {
        var schemas = new HashSet<string>(StringComparer.Ordinal);
        foreach (var body in operation.Bodies)
        {
            var usual = Request("", body);
            foreach (var (name, bytes) in WholeBodies(usual.Body!))
            {
                yield return usual with
                {
                    Name = $"{body.Key} body {name}",
                    Body = bytes,
                };
            }

            foreach (var type in Types)
            {
                yield return usual with
                {
                    Name = $"body as {type}",
                    ContentType = type,
                };
            }

            yield return usual with
            {
                Name = "body without a type",
                ContentType = null,
            };
            yield return usual with
            {
                Name = "packed body",
                Headers = [.. usual.Headers, ("Content-Encoding", "br")],
            };
            // under another media type the same members say nothing new
            if (body.Value!["example"] is JsonObject example && schemas.Add(body.Value["schema"]!.ToJsonString()))
            {
                foreach (var (name, json) in Members(example, body.Value["schema"]!, ""))
                {
                    yield return usual with
                    {
                        Name = $"{body.Key} {name}",
                        Body = Encoding.UTF8.GetBytes(json),
                    };
                }
            }
        }
    }

    private static IEnumerable<(string Name, byte[] Body)> WholeBodies(byte[] usual)
    {
        foreach (
            var text in new[]
            {
                "",
                "null",
                "[]",
                "\"text\"",
                "1",
                "{}",
                "{",
                "{\"a\":}",
                "{}{}",
                "{\"\":1}",
                "{\"a\":1,\"a\":2}",
            }
        )
        {
            yield return ($"is {text}", Encoding.UTF8.GetBytes(text));
        }

        yield return ("is cut off", usual[..(usual.Length / 2)]);
        yield return ("begins with a BOM", [0xEF, 0xBB, 0xBF, .. usual]);
        yield return ("is no UTF-8", [.. "{\"a\":\""u8, 0xC3, 0x28, .. "\"}"u8]);
        yield return ("is deep", Encoding.UTF8.GetBytes(new string('[', 5_000) + new string(']', 5_000)));
        yield return (
            "has a deep member",
            Encoding.UTF8.GetBytes("{\"a\":" + new string('[', 200) + new string(']', 200) + "}")
        );
        yield return ("has 2 MiB", Encoding.UTF8.GetBytes($"{{\"a\":\"{new string('a', 2 * 1024 * 1024)}\"}}"));
    }

    /// <summary>The example with one member changed, left out, doubled or added, at every depth the schema tells of.</summary>
    private IEnumerable<(string Name, string Json)> Members(JsonObject example, JsonNode node, string place)
    {
        var schema = document.Follow(node);
        schema = schema["anyOf"] is JsonArray parts ? document.Follow(parts[0]!) : schema;
        yield return ($"{place}/ has a member more", With(example, "no_such_member", "1"));
        foreach (var (name, member) in schema["properties"]?.AsObject() ?? [])
        {
            var left = (JsonObject)example.DeepClone();
            if (left.Remove(name))
            {
                yield return ($"{place}/{name} is left out", left.ToJsonString());
                yield return (
                    $"{place}/{name} stands twice",
                    $"{{{Quote(name)}:{Json(example[name])},{example.ToJsonString()[1..]}"
                );
            }

            var own = Unwrap(member!);
            foreach (var (what, json) in FuzzValues.Of(document, own))
            {
                yield return ($"{place}/{name} {what}", With(example, name, json));
            }

            var inner = example[name] switch
            {
                JsonObject one when document.Follow(own)["properties"] is not null => Members(
                    one,
                    own,
                    $"{place}/{name}"
                ),
                JsonArray many
                    when many.FirstOrDefault() is JsonObject first && document.Follow(own)["items"] is { } items =>
                    Members(first, items, $"{place}/{name}/0").Select(one => (one.Name, $"[{one.Json}]")),
                _ => [],
            };
            foreach (var (what, json) in inner)
            {
                yield return (what, With(example, name, json));
            }
        }
    }

    /// <summary>Several members changed at once.</summary>
    private IEnumerable<FuzzCase> AtRandom()
    {
        foreach (var body in operation.Bodies)
        {
            if (body.Value!["example"] is not JsonObject example)
            {
                continue;
            }

            var usual = Request("", body);
            var json = example.ToJsonString();
            var properties = document.Follow(body.Value["schema"]!)["properties"]?.AsObject().ToArray() ?? [];
            for (var change = 0; change < 3 && properties.Length > 0; change++)
            {
                var (name, member) = properties[random.Next(properties.Length)];
                var values = FuzzValues.Of(document, Unwrap(member!)).ToArray();
                var changed = (JsonObject)JsonNode.Parse(example.ToJsonString())!;
                json = With(changed, name, values[random.Next(values.Length)].Json);
            }

            yield return usual with
            {
                Name = $"{body.Key} at random",
                Body = Encoding.UTF8.GetBytes(json),
            };
            var bytes = usual.Body!.ToArray();
            for (var flip = 0; flip < 4 && bytes.Length > 0; flip++)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            yield return usual with
            {
                Name = $"{body.Key} with bytes at random",
                Body = bytes,
            };
        }
    }

    private FuzzCase Request(string name, KeyValuePair<string, JsonNode?> body, bool onlyRequired = false)
    {
        var example = body.Value?["example"];
        var text = example is JsonValue value ? value.GetValue<string>() : example?.ToJsonString();
        var headers = operation
            .Parameters.Where(one => $"{one["in"]}" == "header" && $"{one["name"]}" == "If-Match")
            .Select(one => ("If-Match", "*"));
        return new FuzzCase(name, Place())
        {
            Body = text is null ? null : Encoding.UTF8.GetBytes(Own(text)),
            ContentType =
                body.Key is null ? null
                : body.Key == "*/*" ? "application/octet-stream"
                : body.Key,
            Headers = onlyRequired ? [] : [.. headers],
        };
    }

    // each request makes something of its own, where it makes something
    private string Own(string text) =>
        text.Replace(Elsewhere, Nowhere, StringComparison.Ordinal)
            .Replace($"{TokenRequest.Example.ApiKey}", key, StringComparison.Ordinal)
            .Replace("\"name\":\"", $"\"name\":\"f{random.Next():x}-", StringComparison.Ordinal)
            .Replace("ticket-7", $"ticket-{random.Next()}", StringComparison.Ordinal);

    private string Place()
    {
        var path = operation.Path;
        foreach (var parameter in operation.Parameters.Where(one => $"{one["in"]}" == "path"))
        {
            var kind = path.Split('/', StringSplitOptions.RemoveEmptyEntries)[1];
            path = path.Replace(
                $"{{{parameter["name"]}}}",
                ids(kind) ?? $"{parameter["example"]}",
                StringComparison.Ordinal
            );
        }

        return path;
    }

    // null, or one other schema
    private static JsonNode Unwrap(JsonNode schema) =>
        schema["oneOf"] is JsonArray parts ? parts.First(part => $"{part!["type"]}" != "null")! : schema;

    private string With(JsonObject example, string name, string json)
    {
        var members = example
            .Where(member => member.Key != name)
            .Select(member => $"{Quote(member.Key)}:{Json(member.Value)}")
            .Append($"{Quote(name)}:{json}");
        return Own($"{{{string.Join(',', members)}}}");
    }

    private static string Json(JsonNode? value) => value?.ToJsonString() ?? "null";

    private static string Quote(string name) => JsonSerializer.Serialize(name);

    // a value as a parameter holds it; what is no text in JSON is none here
    private static string? AsText(string json)
    {
        try
        {
            return JsonNode.Parse(json) is JsonValue value && value.TryGetValue<string>(out var text) ? text : json;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
