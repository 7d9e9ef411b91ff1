using System.Text.Json;
using System.Text.Unicode;

namespace Bellhop.Infrastructure.Http;

/// <summary>Refuses JSON that would mean different things to different readers, before anything else looks at it.</summary>
/// <remarks>
/// Refused: invalid UTF-8, depth over 64, duplicate keys (RFC 8259 section 4 leaves their meaning open), lone surrogates,
/// <c>\u0000</c> (PostgreSQL cannot hold it) and numbers beyond the range of a double. One pass, before any SQL.
/// </remarks>
public static class StrictJson
{
    /// <summary>The first fault, or null when the text is sound.</summary>
    public static FieldError? Check(ReadOnlySpan<byte> json, int maxDepth = JsonRules.MaxDepth)
    {
        if (!Utf8.IsValid(json))
        {
            return FieldError.At("", "invalid_utf8", "The text must be UTF-8.");
        }

        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = maxDepth });
        var path = new JsonPath();
        try
        {
            while (reader.Read())
            {
                if (path.Visit(ref reader) is { } fault)
                {
                    return fault;
                }
            }

            return null;
        }
        catch (JsonException exception)
        {
            return exception.Message.Contains("maximum configured depth", StringComparison.Ordinal)
                ? FieldError.At(path.Pointer, "too_deep", $"JSON may be nested {maxDepth} levels deep at most.")
                : FieldError.At(
                    path.Pointer,
                    "malformed_json",
                    $"Not JSON at line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1}."
                );
        }
    }

    /// <summary>A name as it stands in a JSON pointer (RFC 6901 section 3).</summary>
    public static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>Where the reader is, and which names each open object has had.</summary>
    private sealed class JsonPath
    {
        private readonly List<Level> _levels = [];

        public string Pointer => string.Concat(_levels.Select(level => level.Segment));

        public FieldError? Visit(ref Utf8JsonReader reader)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    NextItem();
                    _levels.Add(new Level(reader.TokenType == JsonTokenType.StartArray));
                    return null;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    _levels.RemoveAt(_levels.Count - 1);
                    return null;
                case JsonTokenType.PropertyName:
                    return Name(ref reader);
                case JsonTokenType.String:
                    NextItem();
                    return reader.ValueIsEscaped && Text(ref reader, out _) is { } code ? Fault(code) : null;
                case JsonTokenType.Number:
                    NextItem();
                    return double.IsFinite(reader.GetDouble()) ? null : Fault("number_out_of_range");
                default:
                    NextItem();
                    return null;
            }
        }

        private FieldError? Name(ref Utf8JsonReader reader)
        {
            var level = _levels[^1];
            level.Name = null; // a name that is no text cannot be pointed at; its object can
            if (Text(ref reader, out var name) is { } code)
            {
                return Fault(code);
            }

            level.Name = name;
            return level.Names.Add(name) ? null : Fault("duplicate_key");
        }

        private static string? Text(ref Utf8JsonReader reader, out string text)
        {
            text = "";
            try
            {
                text = reader.GetString()!;
                return text.Contains('\0', StringComparison.Ordinal) ? "invalid_character" : null;
            }
            catch (InvalidOperationException)
            {
                return "invalid_surrogate"; // an escaped half of a surrogate pair
            }
        }

        private FieldError Fault(string code) =>
            FieldError.At(
                Pointer,
                code,
                code switch
                {
                    "invalid_character" => "Text may not hold U+0000.",
                    "invalid_surrogate" => "Half of a surrogate pair is not text.",
                    "duplicate_key" => "The key stands twice in one object.",
                    _ => "The number is beyond the range of a double.",
                }
            );

        private void NextItem()
        {
            if (_levels.Count > 0 && _levels[^1].IsArray)
            {
                _levels[^1].Index++;
            }
        }

        private sealed class Level(bool isArray)
        {
            private HashSet<string>? _names;

            public bool IsArray { get; } = isArray;

            public int Index { get; set; } = -1;

            public string? Name { get; set; }

            public HashSet<string> Names => _names ??= new HashSet<string>(StringComparer.Ordinal);

            public string Segment =>
                IsArray ? (Index < 0 ? "" : $"/{Index}") : (Name is null ? "" : "/" + Escape(Name));
        }
    }
}
