using System.Text.Json;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Connections;

/// <summary>A request to an outside system, as who wants it sent writes it.</summary>
/// <param name="Method">GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.</param>
/// <param name="Connection">Name or id of a connection of kind <c>http</c>, which adds its credentials; null: none.</param>
/// <param name="Url">Absolute. With a connection it stays within its base URL or its allowed hosts.</param>
/// <param name="Path">Under the base URL of the connection; either this or the URL.</param>
/// <param name="Headers">Text, numbers or bools by name; null is left out.</param>
/// <param name="Query">The same, or lists of them; appended to the URL.</param>
/// <param name="Body">Text is sent as it is (<c>text/plain</c> unless a header says else), anything else as JSON.</param>
/// <param name="Accept">Statuses beside 2xx that are no failure.</param>
/// <param name="TimeoutSeconds">0.1–300, over everything from resolving the name to the end of the body.</param>
public sealed record HttpCall(
    string? Method,
    string? Connection = null,
    string? Url = null,
    string? Path = null,
    IReadOnlyDictionary<string, JsonElement>? Headers = null,
    IReadOnlyDictionary<string, JsonElement>? Query = null,
    JsonElement? Body = null,
    IReadOnlyList<int>? Accept = null,
    double TimeoutSeconds = 15
)
{
    public static readonly IReadOnlyList<string> Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

    /// <summary>Whether sending it twice by its method alone does no more than sending it once asks for nothing.</summary>
    public bool IsSafe => Method is "GET" or "HEAD" or "OPTIONS";

    /// <summary>The method only: headers, queries and bodies carry secrets.</summary>
    public override string ToString() => Method ?? "";
}

/// <summary>What makes a call sound.</summary>
public sealed class HttpCallRules : AbstractValidator<HttpCall>
{
    private const int MaxMembers = 100;

    public HttpCallRules()
    {
        RuleFor(call => call.Method).IsOneOf(HttpCall.Methods);
        RuleFor(call => call.Url)
            .Must((call, url) => url is null != call.Path is null)
            .WithErrorCode("required")
            .WithMessage("Give either url or path.");
        RuleFor(call => call.Connection)
            .NotEmpty()
            .When(call => call.Path is not null)
            .WithMessage("A path is under the base URL of a connection: name it.");
        RuleFor(call => call.TimeoutSeconds).InclusiveBetween(0.1, 300);
        RuleForEach(call => call.Accept).InclusiveBetween(100, 599);
        RuleFor(call => call.Headers)
            .Must(headers => headers is null || (headers.Count <= MaxMembers && headers.Values.All(Scalars.IsScalar)))
            .WithErrorCode("wrong_type")
            .WithMessage($"headers are at most {MaxMembers} texts, numbers or bools by name.");
        RuleFor(call => call.Query)
            .Must(query => query is null || (query.Count <= MaxMembers && query.Values.All(Scalars.IsScalarOrList)))
            .WithErrorCode("wrong_type")
            .WithMessage($"query holds at most {MaxMembers} texts, numbers or bools, or lists of them, by name.");
    }
}

/// <summary>Values that have one text.</summary>
internal static class Scalars
{
    public static bool IsScalar(JsonElement value) =>
        value.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array or JsonValueKind.Undefined);

    public static bool IsScalarOrList(JsonElement value) =>
        IsScalar(value) || (value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(IsScalar));

    /// <summary>The texts of a value or of a list of them; null has none.</summary>
    public static IEnumerable<string> TextsOf(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Null => [],
            JsonValueKind.Array => value.EnumerateArray().SelectMany(TextsOf),
            JsonValueKind.String => [value.GetString()!],
            _ => [value.GetRawText()],
        };
}
