namespace Bellhop.Infrastructure.Http;

/// <summary>What a handler hands back: a value, or the problem that kept it from producing one.</summary>
public readonly record struct Result<T> : IFailable<Result<T>>
{
    private readonly T? _value;

    private Result(T? value, Problem? problem) => (_value, Problem) = (value, problem);

    public Problem? Problem { get; }

    static Result<T> IFailable<Result<T>>.From(Problem problem) => new(default, problem);

    public static implicit operator Result<T>(T value) => new(value, null);

    public static implicit operator Result<T>(Problem problem) => new(default, problem);

    /// <summary>The answer of an endpoint: what success looks like is said by the caller, failure looks the same everywhere.</summary>
    public IResult ToHttp(Func<T, IResult> onValue) =>
        Problem is null ? onValue(_value!) : new ProblemResponse(Problem);

    /// <summary>The value, for callers for whom a problem would be a bug.</summary>
    public T Unwrap() =>
        Problem is null ? _value! : throw new InvalidOperationException($"Expected a value, got {Problem}.");
}

public static class Result
{
    /// <summary>A value whose type is an interface, for which C# has no implicit conversion.</summary>
    public static Result<T> Of<T>(T value) => value;
}

/// <summary>Lets a pipeline behavior fail a request without knowing the type of its value.</summary>
public interface IFailable<TSelf>
{
    Problem? Problem { get; }

    static abstract TSelf From(Problem problem);
}
