using System.Text.Json;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>
/// Equality, order and membership. An integer and a double are compared by their exact values; values of different
/// kinds are unequal, and have no order.
/// </summary>
internal static class Comparison
{
    public static Value Equal(ref Frame frame, in Value left, in Value right, Position at) =>
        left.IsError ? left
        : right.IsError ? right
        : AreEqual(ref frame, left, right, at) is var equal && frame.Exhausted is null ? Value.From(equal)
        : frame.OutOfBudget;

    public static Value NotEqual(ref Frame frame, in Value left, in Value right, Position at)
    {
        var equal = Equal(ref frame, left, right, at);
        return equal.IsError ? equal : Value.From(equal.IsFalse);
    }

    public static Value Less(ref Frame frame, in Value left, in Value right, Position at) =>
        Order(ref frame, Operator.Less, left, right, at, out var order) ?? Value.From(order < 0);

    public static Value LessOrEqual(ref Frame frame, in Value left, in Value right, Position at) =>
        Order(ref frame, Operator.LessOrEqual, left, right, at, out var order) ?? Value.From(order <= 0);

    public static Value Greater(ref Frame frame, in Value left, in Value right, Position at) =>
        Order(ref frame, Operator.Greater, left, right, at, out var order) ?? Value.From(order > 0);

    public static Value GreaterOrEqual(ref Frame frame, in Value left, in Value right, Position at) =>
        Order(ref frame, Operator.GreaterOrEqual, left, right, at, out var order) ?? Value.From(order >= 0);

    /// <summary>Whether a list has an equal element, or a map the key.</summary>
    public static Value In(ref Frame frame, in Value left, in Value right, Position at)
    {
        if (left.IsError)
        {
            return left;
        }

        if (right.Kind == Kinds.Map && left.Kind == Kinds.String)
        {
            return frame.TryCharge(right.Count / 16, at) && frame.TryChargeReading(left, at)
                ? Value.From(right.TryGetMember(left.Text(), out _))
                : frame.OutOfBudget;
        }

        if (right.Kind != Kinds.List)
        {
            return Arithmetic.Mismatch(Operator.In, left, right, at);
        }

        for (var elements = right.GetElements(); elements.MoveNext(); )
        {
            var found = frame.TryCharge(1, at) && AreEqual(ref frame, left, elements.Item, at);
            if (frame.Exhausted is not null)
            {
                return frame.OutOfBudget;
            }

            if (found)
            {
                return Value.From(true);
            }
        }

        return Value.From(false);
    }

    /// <summary>False also where the budget ran out, which the frame tells.</summary>
    private static bool AreEqual(ref Frame frame, in Value left, in Value right, Position at)
    {
        if (left.Kind != right.Kind)
        {
            return left.IsNumber && right.IsNumber && CompareNumbers(left, right) == 0;
        }

        return left.Kind switch
        {
            Kinds.Null => true,
            Kinds.Bool or Kinds.Int => left.Int == right.Int,
            Kinds.Double => left.Double == right.Double,
            Kinds.String => frame.TryChargeReading(left, at) && left.TextEquals(right),
            _ when left.Count != right.Count => false,
            _ when left.IsDocument && right.IsDocument => frame.TryCharge(left.DocumentLength / 64, at)
                && JsonElement.DeepEquals(left.Document, right.Document),
            Kinds.List => AreListsEqual(ref frame, left, right, at),
            _ => AreMapsEqual(ref frame, left, right, at),
        };
    }

    private static bool AreListsEqual(ref Frame frame, in Value left, in Value right, Position at)
    {
        var (mine, theirs) = (left.GetElements(), right.GetElements());
        while (mine.MoveNext() && theirs.MoveNext())
        {
            if (!frame.TryCharge(1, at) || !AreEqual(ref frame, mine.Item, theirs.Item, at))
            {
                return false;
            }
        }

        return true;
    }

    private static bool AreMapsEqual(ref Frame frame, in Value left, in Value right, Position at)
    {
        // members are looked up where that is by hash
        var (walked, searched) = left.IsDocument ? (left, right) : (right, left);
        for (var elements = walked.GetElements(); elements.MoveNext(); )
        {
            if (
                !frame.TryCharge(1, at)
                || !searched.TryGetMember(elements.Key, out var other)
                || !AreEqual(ref frame, elements.Item, other, at)
            )
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The order of two values, or the error that there is none.</summary>
    private static Value? Order(
        ref Frame frame,
        Operator operation,
        in Value left,
        in Value right,
        Position at,
        out int order
    )
    {
        order = 0;
        if (left.IsNumber && right.IsNumber)
        {
            order = CompareNumbers(left, right);
            return null;
        }

        if (left.Kind != right.Kind || !left.Kind.MayBe(Kinds.Bool | Kinds.String))
        {
            return Arithmetic.Mismatch(operation, left, right, at);
        }

        if (left.Kind == Kinds.Bool)
        {
            order = left.Int.CompareTo(right.Int);
            return null;
        }

        if (!frame.TryChargeReading(left, at) || !frame.TryChargeReading(right, at))
        {
            return frame.OutOfBudget;
        }

        order = CompareTexts(left.Text(), right.Text());
        return null;
    }

    private static int CompareNumbers(in Value left, in Value right) =>
        (left.Kind, right.Kind) switch
        {
            (Kinds.Int, Kinds.Int) => left.Int.CompareTo(right.Int),
            (Kinds.Int, _) => Compare(left.Int, right.Double),
            (_, Kinds.Int) => -Compare(right.Int, left.Double),
            _ => left.Double.CompareTo(right.Double),
        };

    /// <summary>Exact: an integer beyond 2^53 is not rounded to meet the double.</summary>
    private static int Compare(long integer, double number)
    {
        const double TwoTo63 = 9223372036854775808.0;
        if (number >= TwoTo63)
        {
            return -1;
        }

        if (number < -TwoTo63)
        {
            return 1;
        }

        var whole = Math.Truncate(number);
        var order = integer.CompareTo((long)whole);
        return order != 0 ? order : whole.CompareTo(number);
    }

    /// <summary>By Unicode code points, as CEL has it; UTF-16 sorts U+E000 to U+FFFF behind all that comes after.</summary>
    private static int CompareTexts(string left, string right)
    {
        var same = left.AsSpan().CommonPrefixLength(right);
        if (same == left.Length || same == right.Length)
        {
            return left.Length.CompareTo(right.Length);
        }

        var (mine, theirs) = (left[same], right[same]);
        return char.IsSurrogate(mine) == char.IsSurrogate(theirs) ? mine.CompareTo(theirs)
            : char.IsSurrogate(mine) ? 1
            : -1;
    }
}
