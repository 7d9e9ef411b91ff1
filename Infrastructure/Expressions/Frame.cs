namespace Bellhop.Infrastructure.Expressions;

/// <summary>What evaluations may still spend, together; a template shares one among its expressions.</summary>
internal struct Budget(int units)
{
    public int Units = units;

    public TimeSpan SearchTime = Limits.SearchTime;
}

/// <summary>One evaluation: its variables, and what it has spent.</summary>
internal ref struct Frame(ReadOnlySpan<Value> roots, Span<Value> locals, Budget budget)
{
    public readonly ReadOnlySpan<Value> Roots = roots;

    public readonly Span<Value> Locals = locals;

    public Budget Left = budget;

    /// <summary>
    /// Set where the budget ran out. It is the answer of the evaluation whatever else happens: no
    /// <c>||</c> may turn it into a value.
    /// </summary>
    public ExpressionError? Exhausted { get; private set; }

    public readonly Value OutOfBudget => Value.Failed(Exhausted!);

    /// <summary>Spends units. Where it says no, the caller returns <see cref="OutOfBudget"/> at once.</summary>
    public bool TryCharge(long units, Position at)
    {
        Left.Units = (int)Math.Max(-1, Left.Units - units);
        return Left.Units >= 0 || Exhaust("The expression costs more than it may", at);
    }

    /// <summary>Spends time in searches by regular expression.</summary>
    public bool TryCharge(TimeSpan searching, Position at)
    {
        Left.SearchTime -= searching;
        return Left.SearchTime > TimeSpan.Zero || Exhaust("The search takes longer than it may", at);
    }

    /// <summary>Spends what reading a text costs.</summary>
    public bool TryChargeReading(in Value text, Position at) => TryCharge(text.TextLength / 256, at);

    private bool Exhaust(string what, Position at)
    {
        Left.Units = -1;
        Exhausted ??= new ExpressionError(
            ErrorCode.BudgetExceeded,
            $"{what}: it goes over too many elements or too much text.",
            at
        );
        return false;
    }
}
