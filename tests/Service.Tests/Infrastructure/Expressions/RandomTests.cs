using System.Globalization;
using Bellhop.Infrastructure.Expressions;
using CsCheck;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Expressions;

public sealed class RandomTests
{
    private static readonly string[] Pieces =
    [
        .. "event data steps now x type total tags true false null in has size exists all filter map matches".Split(
            ' '
        ),
        .. "contains string int double 0 1 -1 2.5 1e9 0x1f 9223372036854775807 'a' \"b\" r'\\d' '''c''' '\\u00e9'".Split(
            ' '
        ),
        .. "'\\ ' + - * / % == != < <= > >= && || ! ? : , . ( ) [ ] { } // = & $ # é 😀 ${ $${".Split(' '),
        " ",
        "\n",
        "\0",
    ];

    private static readonly Gen<string> Soup = Gen.Int[0, Pieces.Length - 1]
        .Select(i => Pieces[i])
        .Array[1, 25]
        .Select(string.Concat);

    [Fact]
    public void Random_tokens_give_a_value_or_an_error_with_its_place() =>
        Soup.Sample(
            source =>
            {
                var compiled = Expression.Compile(source, Evaluation.Scope);
                var error = compiled.Succeeded ? compiled.Value.Evaluate(Evaluation.Variables).Error : compiled.Error;
                return error is null or { Line: > 0, Column: > 0, Message.Length: > 0, Pointer: null };
            },
            iter: 20_000
        );

    [Fact]
    public void Random_text_in_a_template_gives_JSON_or_an_error_with_its_place() =>
        Soup.Sample(
            text =>
            {
                var document = TemplateTests.Json(new[] { text });
                var compiled = Template.Compile(document, Evaluation.Scope);
                var error = compiled.Succeeded ? compiled.Value.Render(Evaluation.Variables).Error : compiled.Error;
                return error is null or { Line: > 0, Column: > 0, Pointer: "/0" };
            },
            iter: 10_000
        );

    [Fact]
    public void Random_arithmetic_agrees_with_CSharp() =>
        Sums(depth: 5).Sample(sum => sum.Expected == Evaluation.Of(sum.Source).Split('@')[0], iter: 5_000);

    private static Gen<(string Source, string Expected)> Sums(int depth) =>
        Tree(depth).Select(tree => (tree.Source, Written(tree.Value)));

    /// <summary>Source, and its value by C#: a long, a double, or the code of an error.</summary>
    private static Gen<(string Source, object Value)> Tree(int depth)
    {
        var integer = Gen.OneOf(Gen.Long[-9, 9], Gen.Long).Select(number => (Text(number), (object)number));
        var fraction = Gen.Int[-999, 999].Select(number => (Text(number / 8.0), (object)(number / 8.0)));
        if (depth == 0)
        {
            return Gen.OneOf(integer, fraction);
        }

        var inner = Tree(depth - 1);
        var binary = Gen.Select(
            inner,
            Gen.Int[0, 3].Select(i => "+-*/"[i]),
            inner,
            (left, sign, right) => ($"({left.Source} {sign} {right.Source})", Apply(sign, left.Value, right.Value))
        );
        return Gen.OneOf(integer, fraction, binary, binary, binary);
    }

    private static object Apply(char sign, object left, object right)
    {
        if ((left as string ?? right as string) is { } error)
        {
            return error;
        }

        try
        {
            return (left, right) switch
            {
                (long x, long y) => checked(
                    sign switch
                    {
                        '+' => x + y,
                        '-' => x - y,
                        '*' => x * y,
                        _ => x / y,
                    }
                ),
                _ when sign == '/' && AsDouble(right) == 0 => "division_by_zero",
                _ => Apply(sign, AsDouble(left), AsDouble(right)),
            };
        }
        catch (OverflowException)
        {
            return "integer_overflow";
        }
        catch (DivideByZeroException)
        {
            return "division_by_zero";
        }
    }

    private static double Apply(char sign, double x, double y) =>
        sign switch
        {
            '+' => x + y,
            '-' => x - y,
            '*' => x * y,
            _ => x / y,
        };

    private static double AsDouble(object number) => Convert.ToDouble(number, CultureInfo.InvariantCulture);

    private static string Written(object value) =>
        value switch
        {
            double number => number.ToString("R", CultureInfo.InvariantCulture),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    // always with a point, or CEL would read an integer
    private static string Text(double number) => number.ToString("0.000", CultureInfo.InvariantCulture);
}
