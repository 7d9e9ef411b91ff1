using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Bellhop.Infrastructure.Http;

/// <summary>A kind of failure that clients may rely on: its status and its code never change within <c>/v1</c>.</summary>
/// <remarks>Declared as <c>static readonly</c> fields; the catalogue in the tests lists every one of them.</remarks>
public sealed record ProblemCode(int Status, string Code, string Title)
{
    /// <summary>What such a problem says, for the document; null: its title.</summary>
    public ProblemExample? Example { get; init; }

    /// <summary>The problem of this kind, with a sentence that says what would be right.</summary>
    public Problem Because(string detail, params FieldError[] errors) => new(this, detail, errors);
}

/// <summary>What a problem of some kind may say.</summary>
public sealed record ProblemExample(string Detail, params FieldError[] Errors);

/// <summary>One fault in a request: where it is, in the caller's spelling, and what would be right.</summary>
/// <param name="Pointer">RFC 6901 pointer into the body.</param>
/// <param name="Parameter">Name of a query or path parameter.</param>
/// <param name="Header">Name of a header.</param>
public sealed record FieldError(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(65_536)] string? Pointer,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(8_192)] string? Parameter,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(8_192)] string? Header,
    [property: MaxLength(63)] string Code,
    [property: MaxLength(65_536)] string Message
)
{
    /// <summary>Of an expression: the line in the string at <see cref="Pointer"/>, from 1.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Line { get; init; }

    /// <summary>Of an expression: the column in that line, from 1, in Unicode code points.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Column { get; init; }

    public static FieldError At(string pointer, string code, string message) => new(pointer, null, null, code, message);

    public static FieldError InParameter(string name, string code, string message) =>
        new(null, name, null, code, message);

    public static FieldError InHeader(string name, string code, string message) => new(null, null, name, code, message);
}

/// <summary>An expected failure, as a value. <see cref="ProblemResponse"/> writes it as problem+json (RFC 9457).</summary>
public sealed record Problem(ProblemCode Kind, string Detail, IReadOnlyList<FieldError> Errors)
{
    /// <summary>Seconds after which the same request may succeed; sent as <c>Retry-After</c>.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>Values of <c>WWW-Authenticate</c>, <c>Allow</c> and the like that belong to this answer.</summary>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }
}
