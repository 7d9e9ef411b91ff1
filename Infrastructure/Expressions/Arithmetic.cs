namespace Bellhop.Infrastructure.Expressions;

/// <summary>An operator at work. An error among the operands is the result.</summary>
internal delegate Value BinaryOperation(ref Frame frame, in Value left, in Value right, Position at);

/// <summary><c>+ - * / %</c> and the sign. Integers never wrap round, doubles never leave the finite numbers.</summary>
internal static class Arithmetic
{
    public static Value Add(ref Frame frame, in Value left, in Value right, Position at) =>
        (left.Kind, right.Kind) switch
        {
            (Kinds.Int, Kinds.Int) => Fit((Int128)left.Int + right.Int, at),
            (Kinds.String, Kinds.String) => Join(ref frame, left, right, at),
            (Kinds.List, Kinds.List) => Append(ref frame, left, right, at),
            _ when left.IsNumber && right.IsNumber => Fit(left.Double + right.Double, at),
            _ => Mismatch(Operator.Add, left, right, at),
        };

    public static Value Subtract(ref Frame frame, in Value left, in Value right, Position at) =>
        (left.Kind, right.Kind) switch
        {
            (Kinds.Int, Kinds.Int) => Fit((Int128)left.Int - right.Int, at),
            _ when left.IsNumber && right.IsNumber => Fit(left.Double - right.Double, at),
            _ => Mismatch(Operator.Subtract, left, right, at),
        };

    public static Value Multiply(ref Frame frame, in Value left, in Value right, Position at) =>
        (left.Kind, right.Kind) switch
        {
            (Kinds.Int, Kinds.Int) => Fit((Int128)left.Int * right.Int, at),
            _ when left.IsNumber && right.IsNumber => Fit(left.Double * right.Double, at),
            _ => Mismatch(Operator.Multiply, left, right, at),
        };

    public static Value Divide(ref Frame frame, in Value left, in Value right, Position at) =>
        (left.Kind, right.Kind) switch
        {
            _ when left.IsNumber && right.IsNumber && right.Double == 0 => ByZero(at),
            (Kinds.Int, Kinds.Int) => Fit((Int128)left.Int / right.Int, at),
            _ when left.IsNumber && right.IsNumber => Fit(left.Double / right.Double, at),
            _ => Mismatch(Operator.Divide, left, right, at),
        };

    public static Value Remainder(ref Frame frame, in Value left, in Value right, Position at) =>
        (left.Kind, right.Kind) switch
        {
            (Kinds.Int, Kinds.Int) when right.Int == 0 => ByZero(at),
            (Kinds.Int, Kinds.Int) => Value.From((long)((Int128)left.Int % right.Int)),
            _ => Mismatch(Operator.Remainder, left, right, at),
        };

    public static Value Negate(in Value operand, Position at) =>
        operand.Kind switch
        {
            Kinds.Int => Fit(-(Int128)operand.Int, at),
            Kinds.Double => Fit(-operand.Double, at),
            _ => Mismatch(Operator.Negate, operand, at),
        };

    public static Value Not(in Value operand, Position at) =>
        operand.Kind == Kinds.Bool ? Value.From(operand.IsFalse) : Mismatch(Operator.Not, operand, at);

    /// <summary>The error of operands that do not go together, or the error that one of them is.</summary>
    public static Value Mismatch(Operator operation, in Value left, in Value right, Position at) =>
        left.IsError ? left
        : right.IsError ? right
        : Value.Failed(
            ErrorCode.TypeMismatch,
            $"'{operation.Symbol()}' does not take {left.Kind.Describe()} and {right.Kind.Describe()}.",
            at
        );

    public static Value Mismatch(Operator operation, in Value operand, Position at) =>
        operand.IsError
            ? operand
            : Value.Failed(
                ErrorCode.TypeMismatch,
                $"'{operation.Symbol()}' does not take {operand.Kind.Describe()}.",
                at
            );

    public static Value Fit(Int128 result, Position at) =>
        result == (long)result
            ? Value.From((long)result)
            : Value.Failed(ErrorCode.IntegerOverflow, "The result does not fit 64 bits.", at);

    public static Value Fit(double result, Position at) =>
        double.IsFinite(result)
            ? Value.From(result)
            : Value.Failed(ErrorCode.NotFinite, "The result is not a finite number.", at);

    private static Value ByZero(Position at) => Value.Failed(ErrorCode.DivisionByZero, "Division by zero.", at);

    private static Value Join(ref Frame frame, in Value left, in Value right, Position at)
    {
        var length = (long)left.TextLength + right.TextLength;
        if (length > Limits.TextLength)
        {
            return Value.Failed(
                ErrorCode.TooLarge,
                $"The string would be longer than {Limits.TextLength} characters.",
                at
            );
        }

        return frame.TryCharge(length / 64, at) ? Value.From(left.Text() + right.Text()) : frame.OutOfBudget;
    }

    private static Value Append(ref Frame frame, in Value left, in Value right, Position at)
    {
        var count = (long)left.Count + right.Count;
        if (count > Limits.Elements)
        {
            return TooManyElements(at);
        }

        if (!frame.TryCharge(count, at))
        {
            return frame.OutOfBudget;
        }

        var (items, filled) = (new Value[count], 0);
        for (var elements = left.GetElements(); elements.MoveNext(); )
        {
            items[filled++] = elements.Item;
        }

        for (var elements = right.GetElements(); elements.MoveNext(); )
        {
            items[filled++] = elements.Item;
        }

        return Value.ListOf(items);
    }

    public static Value TooManyElements(Position at) =>
        Value.Failed(ErrorCode.TooLarge, $"The list would have more than {Limits.Elements} elements.", at);
}
