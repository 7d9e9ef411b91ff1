namespace Bellhop.Infrastructure.Expressions;

/// <summary>
/// What an author of expressions can make the service spend. Every bound ends in an <see cref="ExpressionError"/>;
/// none ends in a full stack, a full heap or a request that does not return.
/// </summary>
public static class Limits
{
    /// <summary>Characters of source in one expression.</summary>
    public const int SourceLength = 4_096;

    /// <summary>Levels of the tree an expression is read into, and of brackets within brackets.</summary>
    public const int Depth = 64;

    /// <summary>
    /// Cost units of one evaluation. A unit is of the order of 100 ns: one operation inside a comprehension, 64
    /// characters of text built, 256 characters of text read.
    /// </summary>
    public const int CostUnits = 100_000;

    /// <summary>Cost units of one rendering of a template, all its expressions together.</summary>
    public const int RenderCostUnits = 1_000_000;

    /// <summary>Elements in a list or map that an expression builds.</summary>
    public const int Elements = 10_000;

    /// <summary>UTF-16 code units in a string that an expression builds.</summary>
    public const int TextLength = 1_048_576;

    /// <summary>Characters in the pattern of <c>matches</c>.</summary>
    public const int PatternLength = 1_000;

    /// <summary>UTF-8 bytes of JSON that a value or a template is written as, where the caller says nothing else.</summary>
    public const int OutputBytes = 262_144;

    /// <summary>A search slower than this has grown an automaton that is not worth keeping.</summary>
    internal static readonly TimeSpan SlowSearch = TimeSpan.FromMilliseconds(20);

    /// <summary>The net beneath the cost of <c>matches</c>: the searches of one evaluation take no longer together.</summary>
    internal static readonly TimeSpan SearchTime = TimeSpan.FromMilliseconds(250);
}
