using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Bellhop.Tests.Contract;

/// <summary>What a client that was made from one document finds gone or changed in another.</summary>
/// <remarks>
/// Of what is sent, everything that was taken before must still be; of what is answered, everything that was there before must
/// still be there, and no other type. New members, words of answers, operations and optional parameters break nothing, nor does
/// a bound where none was stated.
/// </remarks>
internal sealed partial class BreakingChanges
{
    private readonly ApiDocument _before;
    private readonly ApiDocument _after;
    private readonly List<string> _found = [];

    private BreakingChanges(ApiDocument before, ApiDocument after) => (_before, _after) = (before, after);

    public static IReadOnlyList<string> Between(ApiDocument before, ApiDocument after)
    {
        var changes = new BreakingChanges(before, after);
        var today = after.Operations.ToDictionary(Name);
        foreach (var operation in before.Operations)
        {
            if (today.TryGetValue(Name(operation), out var same))
            {
                changes.Compare(Name(operation), operation, same);
            }
            else
            {
                changes._found.Add($"{Name(operation)}: the operation is gone");
            }
        }

        return changes._found;
    }

    // what a place in a path is called is nobody's business
    private static string Name(Operation operation) => $"{operation.Method} {Place().Replace(operation.Path, "{}")}";

    private void Compare(string name, Operation before, Operation after)
    {
        if ($"{before.Node["operationId"]}" != $"{after.Node["operationId"]}")
        {
            _found.Add($"{name}: the operation has another id");
        }

        CompareParameters(name, before, after);
        foreach (var (type, body) in before.Bodies)
        {
            if (after.Bodies.FirstOrDefault(one => one.Key == type).Value is { } same)
            {
                CompareSent($"{name} body", body!["schema"]!, same["schema"]!, 0);
            }
            else
            {
                _found.Add($"{name} body: {type} is no longer taken");
            }
        }

        foreach (var (status, answer) in before.Answers)
        {
            if (after.Node["responses"]![status] is not { } same)
            {
                _found.Add($"{name} {status}: the answer is gone");
                continue;
            }

            foreach (var (type, media) in _before.Follow(answer!)["content"]?.AsObject() ?? [])
            {
                if (_after.Follow(same)["content"]?[type] is { } now)
                {
                    CompareAnswered($"{name} {status}", media!["schema"]!, now["schema"]!, 0);
                }
                else
                {
                    _found.Add($"{name} {status}: {type} is no longer answered");
                }
            }
        }
    }

    private void CompareParameters(string name, Operation before, Operation after)
    {
        var today = after
            .Parameters.Where(one => $"{one["in"]}" != "path")
            .ToDictionary(one => $"{one["in"]} {one["name"]}");
        foreach (var parameter in before.Parameters.Where(one => $"{one["in"]}" != "path"))
        {
            var key = $"{parameter["in"]} {parameter["name"]}";
            if (today.Remove(key, out var same))
            {
                CompareSent($"{name} {key}", parameter["schema"]!, same["schema"]!, 0);
            }
            else
            {
                _found.Add($"{name} {key}: the parameter is gone");
            }
        }

        _found.AddRange(
            today
                .Where(one => one.Value["required"]?.GetValue<bool>() == true)
                .Select(one => $"{name} {one.Key}: the parameter is required now")
        );
    }

    private void CompareSent(string place, JsonNode before, JsonNode after, int depth)
    {
        var alternatives = Shape.Of(_after, after);
        foreach (var old in Shape.Of(_before, before))
        {
            // it is enough when one of today's alternatives takes what was taken
            var complaints = alternatives.Select(now => Complaints(old, now)).MinBy(found => found.Count)!;
            _found.AddRange(complaints);
        }

        List<string> Complaints(Shape old, Shape now)
        {
            var start = _found.Count;
            if (now.Types is not null && old.Types?.IsSubsetOf(now.Types) == false)
            {
                _found.Add($"{place}: the type is narrower");
            }

            CompareBounds(place, old, now);
            _found.AddRange(now.Required.Except(old.Required).Select(name => $"{place}/{name}: is required now"));
            foreach (var (name, member) in depth > 12 ? [] : old.Properties)
            {
                if (now.Properties.TryGetValue(name, out var same))
                {
                    CompareSent($"{place}/{name}", member, same, depth + 1);
                }
                else if (now.IsClosed)
                {
                    _found.Add($"{place}/{name}: is no longer taken");
                }
            }

            if (old.Items is not null && now.Items is not null && depth <= 12)
            {
                CompareSent($"{place}/items", old.Items, now.Items, depth + 1);
            }

            var found = _found[start..];
            _found.RemoveRange(start, found.Count);
            return found;
        }
    }

    private void CompareBounds(string place, Shape old, Shape now)
    {
        if (old.Words is not null && now.Words is not null)
        {
            _found.AddRange(old.Words.Except(now.Words).Select(word => $"{place}: {word} is no longer taken"));
        }

        foreach (var bound in new[] { "maximum", "maxLength", "maxItems" })
        {
            if (old.Bound(bound) is { } was && now.Bound(bound) is { } among && among < was)
            {
                _found.Add($"{place}: {bound} is lower");
            }
        }

        foreach (var bound in new[] { "minimum", "minLength", "minItems" })
        {
            if (old.Bound(bound) is { } was && now.Bound(bound) is { } among && among > was)
            {
                _found.Add($"{place}: {bound} is higher");
            }
        }
    }

    private void CompareAnswered(string place, JsonNode before, JsonNode after, int depth)
    {
        var (old, now) = (Shape.Of(_before, before)[0], Shape.Of(_after, after)[0]);
        if (old.Types is not null && now.Types?.IsSubsetOf(old.Types) != true)
        {
            _found.Add($"{place}: the type is another");
        }

        foreach (var (name, member) in depth > 12 ? [] : old.Properties)
        {
            if (!now.Properties.TryGetValue(name, out var same))
            {
                _found.Add($"{place}/{name}: is no longer answered");
                continue;
            }

            if (old.Required.Contains(name) && !now.Required.Contains(name))
            {
                _found.Add($"{place}/{name}: is not always answered now");
            }

            CompareAnswered($"{place}/{name}", member, same, depth + 1);
        }

        if (old.Items is not null && now.Items is not null && depth <= 12)
        {
            CompareAnswered($"{place}/items", old.Items, now.Items, depth + 1);
        }
    }

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Place();

    /// <summary>A schema with its references followed.</summary>
    private sealed record Shape(
        JsonObject Schema,
        HashSet<string>? Types,
        Dictionary<string, JsonNode> Properties,
        HashSet<string> Required
    )
    {
        public JsonNode? Items => Schema["items"];

        public bool IsClosed => Schema["additionalProperties"] is JsonValue closed && !closed.GetValue<bool>();

        public HashSet<string>? Words => Schema["enum"]?.AsArray().Select(word => $"{word}").ToHashSet();

        public double? Bound(string name) =>
            Schema[name] is { } bound ? double.Parse($"{bound}", CultureInfo.InvariantCulture) : null;

        /// <summary>Its alternatives; null beside one other is a type of that one.</summary>
        public static Shape[] Of(ApiDocument document, JsonNode node)
        {
            var schema = document.Follow(node);
            if ((schema["oneOf"] ?? schema["anyOf"]) is not JsonArray parts)
            {
                return [One(schema)];
            }

            var shapes = parts.SelectMany(part => Of(document, part!)).ToArray();
            var others = shapes.Where(shape => shape.Types?.SetEquals(["null"]) != true).ToArray();
            if (others.Length < shapes.Length)
            {
                foreach (var shape in others)
                {
                    shape.Types?.Add("null");
                }
            }

            return others;
        }

        private static Shape One(JsonObject schema) =>
            new(
                schema,
                schema["type"] switch
                {
                    null => null,
                    JsonArray many => [.. many.Select(one => $"{one}")],
                    var one => [$"{one}"],
                },
                (schema["properties"]?.AsObject() ?? []).ToDictionary(member => member.Key, member => member.Value!),
                [.. (schema["required"]?.AsArray() ?? []).Select(name => $"{name}")]
            );
    }
}
