using System.Diagnostics;
using System.Globalization;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>A function at work; its arguments are of the kinds it takes, and reading their text is paid for.</summary>
internal delegate Value FunctionBody(ref Frame frame, scoped ReadOnlySpan<Value> arguments, Position at);

[Flags]
internal enum CallStyle
{
    /// <summary><c>f(x)</c></summary>
    Free = 1,

    /// <summary><c>x.f()</c></summary>
    OnTarget = 2,
}

internal sealed record Function(string Name, CallStyle Style, Kinds[] Parameters, Kinds Result, FunctionBody Body);

/// <summary>The functions an expression may call, each a row: how it is called, what it takes, what it gives.</summary>
internal static class Functions
{
    private const Kinds Sized = Kinds.String | Kinds.List | Kinds.Map;
    private const Kinds Scalar = Kinds.String | Kinds.Bool | Kinds.Number;
    private const Kinds Numeric = Kinds.String | Kinds.Number;

    private static readonly Function[] All =
    [
        new("size", CallStyle.Free | CallStyle.OnTarget, [Sized], Kinds.Int, Size),
        new("startsWith", CallStyle.OnTarget, [Kinds.String, Kinds.String], Kinds.Bool, StartsWith),
        new("endsWith", CallStyle.OnTarget, [Kinds.String, Kinds.String], Kinds.Bool, EndsWith),
        new("contains", CallStyle.OnTarget, [Kinds.String, Kinds.String], Kinds.Bool, Contains),
        new("matches", CallStyle.Free | CallStyle.OnTarget, [Kinds.String, Kinds.String], Kinds.Bool, Matches),
        new("string", CallStyle.Free, [Scalar], Kinds.String, ToText),
        new("int", CallStyle.Free, [Numeric], Kinds.Int, ToInt),
        new("double", CallStyle.Free, [Numeric], Kinds.Double, ToDouble),
    ];

    private static readonly Dictionary<string, Function> ByName = All.ToDictionary(function => function.Name);

    public static IEnumerable<string> Names => ByName.Keys;

    public static Function? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>In Unicode code points, elements or members.</summary>
    private static Value Size(ref Frame frame, scoped ReadOnlySpan<Value> arguments, Position at)
    {
        if (arguments[0].Kind != Kinds.String)
        {
            return Value.From(arguments[0].Count);
        }

        var size = 0;
        foreach (var unit in arguments[0].Text())
        {
            size += char.IsLowSurrogate(unit) ? 0 : 1;
        }

        return Value.From(size);
    }

    private static Value StartsWith(ref Frame frame, scoped ReadOnlySpan<Value> arguments, Position at) =>
        Value.From(arguments[0].Text().StartsWith(arguments[1].Text(), StringComparison.Ordinal));

    private static Value EndsWith(ref Frame frame, scoped ReadOnlySpan<Value> arguments, Position at) =>
        Value.From(arguments[0].Text().EndsWith(arguments[1].Text(), StringComparison.Ordinal));

    private static Value Contains(ref Frame frame, scoped ReadOnlySpan<Value> arguments, Position at) =>
        Value.From(arguments[0].Text().Contains(arguments[1].Text(), StringComparison.Ordinal));

    /// <summary>With a pattern that is only known now; a literal one was compiled with the expression.</summary>
    private static Value Matches(ref Frame frame, scoped ReadOnlySpan<Value> arguments, Position at)
    {
        var started = Stopwatch.GetTimestamp();
        var pattern = Pattern.TryCompile(arguments[1].Text(), out var reason);
        // building an automaton costs far more than most searches with it
        return !frame.TryCharge(1_000, at) || !frame.TryCharge(Stopwatch.GetElapsedTime(started), at)
                ? frame.OutOfBudget
            : pattern is null ? Value.Failed(ErrorCode.BadPattern, $"This is not a pattern: {reason}.", at)
            : pattern.Search(ref frame, arguments[0].Text(), at);
    }

    private static Value ToText(ref Frame frame, scoped ReadOnlySpan<Value> arguments, Position at) =>
        arguments[0].Kind == Kinds.String ? arguments[0]
        : frame.TryCharge(arguments[0].TextLength / 64, at) ? Value.From(arguments[0].ToText(Limits.TextLength))
        : frame.OutOfBudget;

    private static Value ToInt(ref Frame frame, scoped ReadOnlySpan<Value> arguments, Position at)
    {
        var argument = arguments[0];
        switch (argument.Kind)
        {
            case Kinds.Int:
                return argument;
            case Kinds.Double:
                // both bounds are exact: the upper one is 2^63 itself, the first double that does not fit
                return argument.Double is >= long.MinValue and < -(double)long.MinValue
                    ? Value.From((long)argument.Double)
                    : Value.Failed(ErrorCode.IntegerOverflow, "The number does not fit 64 bits.", at);
            default:
                return long.TryParse(
                    argument.Text(),
                    NumberStyles.AllowLeadingSign,
                    CultureInfo.InvariantCulture,
                    out var integer
                )
                    ? Value.From(integer)
                    : Value.Failed(ErrorCode.NotConvertible, "The string is not a 64-bit integer.", at);
        }
    }

    private static Value ToDouble(ref Frame frame, scoped ReadOnlySpan<Value> arguments, Position at)
    {
        const NumberStyles Style =
            NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        var argument = arguments[0];
        return argument.IsNumber ? Arithmetic.Fit(argument.Double, at)
            : double.TryParse(argument.Text(), Style, CultureInfo.InvariantCulture, out var number)
            && double.IsFinite(number)
                ? Value.From(number)
            : Value.Failed(ErrorCode.NotConvertible, "The string is not a finite number.", at);
    }
}
