namespace Bellhop.Infrastructure.Expressions;

/// <summary>Why an expression or template was refused, or why evaluating it gave no value.</summary>
/// <param name="Code">One of <see cref="ErrorCode"/>; stable.</param>
/// <param name="Message">A sentence for the author.</param>
/// <param name="Line">From 1, in the expression; in a template, in the string that holds the expression.</param>
/// <param name="Column">From 1, in Unicode code points.</param>
/// <param name="Pointer">In a template: RFC 6901 pointer to that string. Null for a single expression.</param>
public sealed record ExpressionError(string Code, string Message, int Line, int Column, string? Pointer = null)
{
    internal ExpressionError(string code, string message, Position at, string? pointer = null)
        : this(code, message, at.Line, at.Column, pointer) { }

    public override string ToString() =>
        Pointer is null ? $"{Line}:{Column}: {Message}" : $"{Pointer} {Line}:{Column}: {Message}";
}

/// <summary>The closed set of codes of <see cref="ExpressionError"/>.</summary>
public static class ErrorCode
{
    // found while compiling
    public const string Syntax = "syntax";
    public const string SourceTooLong = "source_too_long";
    public const string UnknownName = "unknown_name";
    public const string UnknownMember = "unknown_member";
    public const string UnknownFunction = "unknown_function";
    public const string ArgumentCount = "argument_count";
    public const string NamedOnly = "named_only";
    public const string ExpressionInName = "expression_in_name";

    // found while compiling where it is obvious, else while evaluating
    public const string TooDeep = "too_deep";
    public const string TypeMismatch = "type_mismatch";
    public const string BadPattern = "bad_pattern";
    public const string DuplicateKey = "duplicate_key";

    // found while evaluating
    public const string MissingMember = "missing_member";
    public const string IndexOutOfRange = "index_out_of_range";
    public const string IntegerOverflow = "integer_overflow";
    public const string NotFinite = "not_finite";
    public const string DivisionByZero = "division_by_zero";
    public const string NotConvertible = "not_convertible";
    public const string TooLarge = "too_large";
    public const string BudgetExceeded = "budget_exceeded";
    public const string BadText = "bad_text";
    public const string NullInText = "null_in_text";
}

/// <summary>Ends a compilation; caught where the compilation began, never seen outside this folder.</summary>
internal sealed class CompilationException(ExpressionError error) : Exception(error.Message)
{
    public CompilationException(string code, string message, Position at)
        : this(new ExpressionError(code, message, at)) { }

    public ExpressionError Error { get; } = error;
}
