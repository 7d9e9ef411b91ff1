using System.Text.Json;
using System.Text.RegularExpressions;

namespace Bellhop.Infrastructure.Http;

/// <summary>Says what is wrong with JSON that is no such document, with a pointer to the place.</summary>
public static partial class JsonFaults
{
    /// <param name="exception">What the serializer threw.</param>
    /// <param name="at">The pointer of what was read, where that was a part of a document.</param>
    public static FieldError Explain(JsonException exception, string at = "")
    {
        var pointer = at + ToPointer(exception.Path);
        // the serializer has no code of its own for this; its message is checked by a test
        return exception.Message.Contains("could not be mapped to any .NET member", StringComparison.Ordinal)
            ? FieldError.At(pointer, "unknown_member", $"There is no member {pointer}.")
            : FieldError.At(
                pointer,
                "wrong_type",
                exception.InnerException is null
                && !exception.Message.StartsWith("The JSON value", StringComparison.Ordinal)
                    ? exception.Message.Split(" Path:")[0]
                    : $"The value at {(pointer.Length == 0 ? "the top" : pointer)} has the wrong type."
            );
    }

    /// <summary>The serializer's JSONPath as a pointer: <c>$.steps[0]['a/b']</c> is <c>/steps/0/a~1b</c>.</summary>
    private static string ToPointer(string? path) =>
        string.Concat(
            Step().Matches(path?[1..] ?? "").Select(step => "/" + StrictJson.Escape(step.Groups["name"].Value))
        );

    // names in brackets are not escaped in any way: one ends where another step or nothing follows
    [GeneratedRegex(
        @"\G(?:\.(?<name>[^.\[]*)|\[(?<name>\d+)\]|\['(?<name>.*?)'\](?=$|\.|\[))",
        RegexOptions.Singleline
    )]
    private static partial Regex Step();
}
