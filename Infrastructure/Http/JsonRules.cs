using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bellhop.Infrastructure.Http;

/// <summary>How JSON looks here: snake_case, UTC with <c>Z</c> and milliseconds, unknown members and duplicate keys refused.</summary>
public static class JsonRules
{
    public const int MaxDepth = 64;

    public static readonly JsonSerializerOptions Options = Configure(
        new JsonSerializerOptions(JsonSerializerDefaults.Web)
    );

    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        options.DictionaryKeyPolicy = null;
        options.PropertyNameCaseInsensitive = false;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        options.AllowDuplicateProperties = false;
        options.MaxDepth = MaxDepth + 8; // answers wrap what was taken in; StrictJson holds requests to MaxDepth
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping; // never written into HTML
        options.Converters.Add(new UtcDateTimeConverter());
        return options;
    }

    /// <summary>The name of a member as the API spells it.</summary>
    public static string Spell(string member) => JsonNamingPolicy.SnakeCaseLower.ConvertName(member);

    private sealed class UtcDateTimeConverter : JsonConverter<DateTime>
    {
        public override DateTime Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            (reader.TokenType == JsonTokenType.String ? Rfc3339.Parse(reader.GetString()!) : null)
            ?? throw new JsonException(Rfc3339.Form);

        public override void Write(Utf8JsonWriter writer, DateTime value, JsonSerializerOptions options) =>
            writer.WriteStringValue(
                value.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)
            );
    }
}
