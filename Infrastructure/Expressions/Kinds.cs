namespace Bellhop.Infrastructure.Expressions;

/// <summary>
/// The kinds of value, as a set: a <see cref="Value"/> has exactly one, what is known about an expression before it
/// runs is the set of kinds its value may have.
/// </summary>
[Flags]
public enum Kinds : byte
{
    None = 0,
    Null = 1,
    Bool = 2,
    Int = 4,
    Double = 8,
    String = 16,
    List = 32,
    Map = 64,
    Any = Null | Bool | Int | Double | String | List | Map,
    Number = Int | Double,

    /// <summary>An evaluation that failed; inside this folder an error is a value until it reaches the top.</summary>
    Error = 128,
}

internal static class KindNames
{
    private static readonly Kinds[] Single =
    [
        Kinds.Null,
        Kinds.Bool,
        Kinds.Int,
        Kinds.Double,
        Kinds.String,
        Kinds.List,
        Kinds.Map,
    ];

    /// <summary>As an author reads it: <c>int</c>, <c>int or double</c>, <c>any value</c>.</summary>
    public static string Describe(this Kinds kinds) =>
        kinds == Kinds.Any
            ? "any value"
            : string.Join(
                " or ",
                Single.Where(kind => (kinds & kind) != 0).Select(kind => kind.ToString().ToLowerInvariant())
            );

    public static bool MayBe(this Kinds kinds, Kinds wanted) => (kinds & wanted) != 0;
}
