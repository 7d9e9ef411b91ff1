namespace Bellhop.Infrastructure.Expressions;

/// <summary>
/// An expression in a profile of the Common Expression Language over JSON values, compiled once and evaluated many
/// times, from any number of threads. The guide for its authors is the README beside this file.
/// </summary>
/// <remarks>
/// Nothing an author writes throws, hangs, or takes more than <see cref="Limits"/> allows: what goes wrong is an
/// <see cref="ExpressionError"/> with line and column.
/// </remarks>
public sealed class Expression
{
    private readonly Code _code;
    private readonly int _work;
    private readonly int _locals;
    private readonly int _roots;

    private Expression(string source, Node node, Scope scope, bool isCondition)
    {
        Source = source;
        (_locals, Named) = Checker.Check(node, scope, isCondition);
        _code = Compiler.Compile(node);
        (_work, _roots) = (node.Work, scope.Count);
    }

    public string Source { get; }

    /// <summary>Which members it uses of what is used by name alone (<see cref="Shape.Named"/>).</summary>
    internal IReadOnlySet<(string Name, string Member)> Named { get; }

    /// <summary>Compiles a source that is one expression over the names of a scope.</summary>
    public static ExpressionResult<Expression> Compile(string source, Scope scope) => Compile(source, scope, false);

    /// <summary>As <see cref="Compile(string, Scope)"/>, for <see cref="Test"/>: what cannot be a bool is refused.</summary>
    public static ExpressionResult<Expression> CompileCondition(string source, Scope scope) =>
        Compile(source, scope, true);

    private static ExpressionResult<Expression> Compile(string source, Scope scope, bool isCondition)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(scope);
        try
        {
            return source.Length <= Limits.SourceLength
                ? new Expression(source, Parser.Parse(source), scope, isCondition)
                : TooLong(Position.Start);
        }
        catch (CompilationException refused)
        {
            return refused.Error;
        }
    }

    /// <summary>
    /// The value of the expression. <paramref name="variables"/> are the names of its scope, in their order; another
    /// number of them is a bug and throws.
    /// </summary>
    public ExpressionResult<Value> Evaluate(params ReadOnlySpan<Value> variables)
    {
        var budget = new Budget(Limits.CostUnits);
        return Evaluate(variables, ref budget);
    }

    /// <summary>As <see cref="Evaluate(ReadOnlySpan{Value})"/>, for a condition: a value that is no bool is an error.</summary>
    public ExpressionResult<bool> Test(params ReadOnlySpan<Value> variables)
    {
        var result = Evaluate(variables);
        return !result.Succeeded ? result.Error
            : result.Value.TryGetBool(out var answer) ? answer
            : Compiler.NotABool(result.Value, Position.Start).Error;
    }

    /// <summary>The expression that ends at the first brace it did not open, and the offset after that brace.</summary>
    internal static (Expression Expression, int End) CompileEmbedded(string text, int offset, Position at, Scope scope)
    {
        var (node, end) = Parser.ParseEmbedded(text, offset, at);
        return end - offset <= Limits.SourceLength
            ? (new Expression(text[offset..(end - 1)].Trim(), node, scope, isCondition: false), end)
            : throw new CompilationException(TooLong(at));
    }

    internal ExpressionResult<Value> Evaluate(ReadOnlySpan<Value> variables, ref Budget budget)
    {
        if (variables.Length != _roots)
        {
            throw new ArgumentException($"The scope has {_roots} names, not {variables.Length}.", nameof(variables));
        }

        var granted = Math.Min(budget.Units, Limits.CostUnits);
        var frame = new Frame(variables, _locals == 0 ? [] : new Value[_locals], budget with { Units = granted });
        var result = Run(ref frame);
        budget = frame.Left with { Units = budget.Units - granted + frame.Left.Units };
        return (frame.Exhausted ?? (result.IsError ? result.Error : null)) is { } error ? error : result;
    }

    private Value Run(ref Frame frame)
    {
        try
        {
            var value = frame.TryCharge(_work, Position.Start) ? _code(ref frame) : frame.OutOfBudget;
            // decoded here, where it may fail, rather than by whoever takes the result
            return value.Kind == Kinds.String ? Value.From(value.Text()) : value;
        }
        catch (InvalidOperationException)
        {
            // System.Text.Json throws it when text that it let pass as JSON, such as "\ud800", is to be read
            return Value.Failed(ErrorCode.BadText, "The data holds text that is not Unicode.", Position.Start);
        }
    }

    private static ExpressionError TooLong(Position at) =>
        new(ErrorCode.SourceTooLong, $"An expression has at most {Limits.SourceLength} characters.", at);
}
