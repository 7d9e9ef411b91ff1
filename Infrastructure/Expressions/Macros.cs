namespace Bellhop.Infrastructure.Expressions;

/// <summary>
/// The calls that are syntax rather than functions: their arguments are looked at before they are evaluated.
/// </summary>
internal static class Macros
{
    private static readonly Dictionary<string, (Macro Macro, int[] Arguments)> OnRange = new()
    {
        ["all"] = (Macro.All, [2]),
        ["exists"] = (Macro.Exists, [2]),
        ["exists_one"] = (Macro.ExistsOne, [2]),
        ["filter"] = (Macro.Filter, [2]),
        ["map"] = (Macro.Map, [2, 3]),
    };

    public static IEnumerable<string> Names => OnRange.Keys.Append("has");

    /// <summary>The node a macro stands for, or null where the call is none.</summary>
    public static Node? Expand(Token name, Node? target, Node[] arguments)
    {
        if (target is null)
        {
            return name.Text == "has" ? ExpandHas(name, arguments) : null;
        }

        return OnRange.TryGetValue(name.Text, out var entry) ? ExpandRange(name, entry, target, arguments) : null;
    }

    private static Has ExpandHas(Token name, Node[] arguments) =>
        arguments is [Member member]
            ? new Has(name.At, member)
            : throw new CompilationException(
                arguments.Length == 1 ? ErrorCode.Syntax : ErrorCode.ArgumentCount,
                "has() asks for one member, as in has(event.data.total).",
                name.At
            );

    private static Comprehension ExpandRange(
        Token name,
        (Macro Macro, int[] Arguments) entry,
        Node range,
        Node[] arguments
    )
    {
        if (!entry.Arguments.Contains(arguments.Length))
        {
            throw new CompilationException(
                ErrorCode.ArgumentCount,
                $"{name.Text} takes a variable and {(entry.Macro == Macro.Map ? "an expression" : "a condition")}, "
                    + $"as in items.{name.Text}(item, …).",
                name.At
            );
        }

        if (arguments[0] is not Name variable)
        {
            throw new CompilationException(
                ErrorCode.Syntax,
                $"The first argument of {name.Text} is the name of a variable.",
                arguments[0].At
            );
        }

        var transform = entry.Macro == Macro.Map ? arguments[^1] : null;
        var predicate = transform is null || arguments.Length == 3 ? arguments[1] : null;
        return new Comprehension(name.At, entry.Macro, range, variable.Text, predicate, transform);
    }
}
