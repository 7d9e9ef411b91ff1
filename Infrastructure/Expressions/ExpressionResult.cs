using System.Diagnostics.CodeAnalysis;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>What compiling, evaluating or rendering gave: a value, or the error that stood in its way.</summary>
public readonly struct ExpressionResult<T>
{
    private readonly T? _value;

    private ExpressionResult(T? value, ExpressionError? error) => (_value, Error) = (value, error);

    /// <summary>Null where there is a value.</summary>
    public ExpressionError? Error { get; }

    [MemberNotNullWhen(false, nameof(Error))]
    public bool Succeeded => Error is null;

    /// <summary>The value; asking for it where there is an error is a bug and throws.</summary>
    public T Value => Error is null ? _value! : throw new InvalidOperationException(Error.ToString());

    public static implicit operator ExpressionResult<T>(T value) => new(value, null);

    public static implicit operator ExpressionResult<T>(ExpressionError error) => new(default, error);
}
