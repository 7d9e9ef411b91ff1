using System.Text.Json;
using Bellhop.Infrastructure.Expressions;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Expressions;

/// <summary>Evaluates in the scope of an automation, and writes what comes out the way a row of a table does.</summary>
internal static class Evaluation
{
    public static readonly Scope Scope = Scope.Of(
        (
            "event",
            Shape.Closed(
                ("id", Shape.Text),
                ("source", Shape.Text),
                ("type", Shape.Text),
                ("subject", Shape.Free),
                ("time", Shape.Text),
                ("data", Shape.Free)
            )
        ),
        ("steps", Shape.Closed(("kind", Shape.Closed(("output", Shape.Free))))),
        ("now", Shape.Text),
        ("data", Shape.Free)
    );

    private const string Data = """
        {
          "text": "give my money back", "total": 250, "price": 1.10, "whole": 3.0, "big": 12345678901234567890,
          "tags": ["new", "vip"], "numbers": [3, 1, 2], "mixed": [1, "a", null, 2.5], "empty": [], "nothing": null,
          "customer": {"name": "Zoë", "emoji": "a😀b", "content-type": "x", "address": {"city": "Graz"}},
          "lines": [{"sku": "a", "count": 2}, {"sku": "b", "count": 0}], "flag": true, "escaped": "caf\u00e9\n",
          "numeric": "42", "fraction": "2.5"
        }
        """;

    public static readonly Value[] Variables = VariablesWith(Data);

    public static Value[] VariablesWith(string data)
    {
        var json = Value.From(JsonElement.Parse(data));
        var @event = Value.Map(
            ("id", Value.From("e-1")),
            ("source", Value.From("shop")),
            ("type", Value.From("ticket.created")),
            ("subject", Value.Null),
            ("time", Value.From("2026-03-01T12:00:00Z")),
            ("data", json)
        );
        var steps = Value.Map(("kind", Value.Map(("output", Value.From(JsonElement.Parse("""{"label":"refund"}"""))))));
        return [@event, steps, Value.From("2026-03-01T12:00:01Z"), json];
    }

    /// <summary>The value as JSON, or <c>code@line:column</c>.</summary>
    public static string Of(string source, Value[]? variables = null)
    {
        var compiled = Expression.Compile(source, Scope);
        if (!compiled.Succeeded)
        {
            return Written(compiled.Error);
        }

        var result = compiled.Value.Evaluate(variables ?? Variables);
        return result.Succeeded ? Written(result.Value) : Written(result.Error);
    }

    public static string MessageOf(string source)
    {
        var compiled = Expression.Compile(source, Scope);
        var error = compiled.Succeeded ? compiled.Value.Evaluate(Variables).Error : compiled.Error;
        Assert.NotNull(error);
        return error.Message;
    }

    public static string Written(ExpressionError error) => $"{error.Code}@{error.Line}:{error.Column}";

    private static string Written(Value value) =>
        value.Kind == Kinds.String ? JsonSerializer.Serialize(value.ToText(), Readable) : value.ToText()!;

    private static readonly JsonSerializerOptions Readable = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
