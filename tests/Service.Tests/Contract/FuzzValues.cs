using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bellhop.Tests.Contract;

/// <summary>Values that a schema allows at its edges, and values that it does not.</summary>
internal static class FuzzValues
{
    /// <summary>Text that readers of text get wrong: U+0000, directions, pictures, combining marks, controls, quotes of every language.</summary>
    public static readonly string[] Texts =
    [
        "",
        " ",
        "\u0000",
        "a\u0000b",
        "\u202Eabc\u202C",
        "שלום عليكم",
        "👩‍👩‍👧‍👦",
        "Z̷͓̈a̶l̵g̴o̷",
        "\uFEFFbom",
        "\uFFFF",
        "\r\nX-Injected: 1",
        "'; DROP TABLE jobs; --",
        "${{7*7}}",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "%00%0d%0a",
        "null",
        "İıſK",
        "\\",
        "\"",
    ];

    /// <summary>What JSON text may hold and no string of this language can be written as.</summary>
    public static readonly string[] RawTexts =
    [
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\u0000\"",
        "1e400",
        "-0",
        "0.1e1",
        "1E2",
    ];

    private static readonly string[] Numbers =
    [
        "0",
        "-1",
        "1.5",
        "32768",
        "2147483648",
        "9223372036854775808",
        "1e308",
        "-1e-308",
        "123456789012345678901234567890",
    ];

    /// <summary>The edges of the schema, each side of them, other types, and odd values; as JSON text.</summary>
    public static IEnumerable<(string Name, string Json)> Of(ApiDocument document, JsonNode node)
    {
        var schema = document.Follow(node);
        foreach (var other in new[] { "null", "true", "\"text\"", "[]", "{}", "[[]]", "{\"a\":{\"b\":1}}" })
        {
            yield return ($"is {other}", other);
        }

        foreach (var number in Numbers)
        {
            yield return ($"is {number}", number);
        }

        foreach (var bound in new[] { "minimum", "maximum" })
        {
            if (Bound(schema, bound) is { } edge)
            {
                foreach (var near in new[] { edge - 1, edge, edge + 1 })
                {
                    yield return ($"is near its {bound}", near.ToString("R", CultureInfo.InvariantCulture));
                }
            }
        }

        if (MayBe(schema, "string"))
        {
            foreach (var text in Texts)
            {
                yield return ("is odd text", JsonSerializer.Serialize(text));
            }

            foreach (var raw in RawTexts)
            {
                yield return ($"is {raw}", raw);
            }

            var max = (int)Math.Min(Bound(schema, "maxLength") ?? 300, 70_000);
            foreach (var length in new[] { max, max + 1 })
            {
                yield return ($"has {length} characters", JsonSerializer.Serialize(new string('a', length)));
                yield return ($"has {length} wide characters", JsonSerializer.Serialize(new string('ä', length)));
            }
        }

        if (MayBe(schema, "array") && schema["items"] is not null)
        {
            var max = (int)Math.Min(Bound(schema, "maxItems") ?? 100, 1_000);
            yield return ($"has {max + 1} items", $"[{string.Join(',', Enumerable.Repeat("\"a\"", max + 1))}]");
            yield return ("has null in it", "[null]");
        }
    }

    public static bool MayBe(JsonObject schema, string type) =>
        schema["type"] switch
        {
            null => true,
            JsonArray many => many.Any(one => $"{one}" == type),
            var one => $"{one}" == type,
        };

    private static double? Bound(JsonObject schema, string name) =>
        schema[name] is { } bound ? double.Parse($"{bound}", CultureInfo.InvariantCulture) : null;
}
