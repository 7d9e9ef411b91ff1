using System.Collections.Frozen;

namespace Bellhop.Infrastructure.Expressions;

internal enum Operator
{
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Not,
    Negate,
}

/// <summary>How operators are written, how tightly they bind, and which kinds they take and give.</summary>
internal static class Operators
{
    public const int LowestPrecedence = 1;

    private static readonly FrozenDictionary<string, Operator> Infix = new Dictionary<string, Operator>
    {
        ["||"] = Operator.Or,
        ["&&"] = Operator.And,
        ["=="] = Operator.Equal,
        ["!="] = Operator.NotEqual,
        ["<"] = Operator.Less,
        ["<="] = Operator.LessOrEqual,
        [">"] = Operator.Greater,
        [">="] = Operator.GreaterOrEqual,
        ["in"] = Operator.In,
        ["+"] = Operator.Add,
        ["-"] = Operator.Subtract,
        ["*"] = Operator.Multiply,
        ["/"] = Operator.Divide,
        ["%"] = Operator.Remainder,
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<Operator, string> Written = Infix
        .Select(entry => KeyValuePair.Create(entry.Value, entry.Key))
        .Append(KeyValuePair.Create(Operator.Not, "!"))
        .Append(KeyValuePair.Create(Operator.Negate, "-"))
        .ToFrozenDictionary();

    /// <summary>The infix operator a token is, if it is one.</summary>
    public static Operator? OfToken(Token token) =>
        (token.Kind == TokenKind.Symbol || token.IsName("in")) && Infix.TryGetValue(token.Text, out var operation)
            ? operation
            : null;

    public static int Precedence(Operator operation) =>
        operation switch
        {
            Operator.Or => LowestPrecedence,
            Operator.And => 2,
            Operator.Add or Operator.Subtract => 4,
            Operator.Multiply or Operator.Divide or Operator.Remainder => 5,
            _ => 3,
        };

    public static string Symbol(this Operator operation) => Written[operation];

    /// <summary>The kinds the result may have, given those of the operands; none where it can only fail.</summary>
    public static Kinds Result(Operator operation, Kinds left, Kinds right) =>
        operation switch
        {
            Operator.Equal or Operator.NotEqual => MayBeEqual(left, right) ? Kinds.Bool : Kinds.None,
            Operator.In => right.MayBe(Kinds.List) || (right.MayBe(Kinds.Map) && left.MayBe(Kinds.String))
                ? Kinds.Bool
                : Kinds.None,
            Operator.Add => Arithmetic(left, right) | (left & right & (Kinds.String | Kinds.List)),
            Operator.Subtract or Operator.Multiply or Operator.Divide => Arithmetic(left, right),
            Operator.Remainder => left & right & Kinds.Int,
            _ => MayBeOrdered(left, right) ? Kinds.Bool : Kinds.None,
        };

    /// <summary>As <see cref="Result(Operator, Kinds, Kinds)"/>, of a prefix.</summary>
    public static Kinds Result(Operator operation, Kinds operand) =>
        operand & (operation == Operator.Not ? Kinds.Bool : Kinds.Number);

    private static Kinds Arithmetic(Kinds left, Kinds right)
    {
        var integer = left & right & Kinds.Int;
        var isDouble = left.MayBe(Kinds.Number) && right.MayBe(Kinds.Number) && (left | right).MayBe(Kinds.Double);
        return integer | (isDouble ? Kinds.Double : Kinds.None);
    }

    private static bool MayBeOrdered(Kinds left, Kinds right) =>
        (left & right).MayBe(Kinds.Bool | Kinds.String) || (left.MayBe(Kinds.Number) && right.MayBe(Kinds.Number));

    // comparing with null is how an author asks whether there is a value, whatever its kind
    private static bool MayBeEqual(Kinds left, Kinds right) =>
        (left & right) != 0
        || (left | right).MayBe(Kinds.Null)
        || (left.MayBe(Kinds.Number) && right.MayBe(Kinds.Number));
}
