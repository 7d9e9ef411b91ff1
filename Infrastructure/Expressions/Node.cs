namespace Bellhop.Infrastructure.Expressions;

/// <summary>
/// A node of the tree an expression is read into. No tree is deeper than <see cref="Limits.Depth"/>, so whatever
/// walks one may recurse.
/// </summary>
internal abstract class Node
{
    protected Node(Position at, params ReadOnlySpan<Node> children)
    {
        At = at;
        foreach (var child in children)
        {
            Depth = Math.Max(Depth, child.Depth);
            Work += child.Work;
        }

        Depth++;
        Work += children.IsEmpty ? 0 : 1;
        if (Depth > Limits.Depth)
        {
            throw new CompilationException(
                ErrorCode.TooDeep,
                $"The expression is nested more than {Limits.Depth} levels deep.",
                at
            );
        }
    }

    /// <summary>Where errors of this node are reported: its operator, its name, or where it begins.</summary>
    public Position At { get; }

    public int Depth { get; }

    /// <summary>Cost units of evaluating it once, without the turns of comprehensions in it.</summary>
    public int Work { get; protected init; }
}

internal sealed class Literal(Position at, Value value) : Node(at)
{
    public Value Value { get; } = value;
}

internal sealed class Name(Position at, string text) : Node(at)
{
    public string Text { get; } = text;

    /// <summary>Set by the checker: the place of the variable among the roots or, in a comprehension, the locals.</summary>
    public int Slot { get; set; }

    public bool IsLocal { get; set; }
}

/// <summary><c>target.name</c>, or <c>target['name']</c>, which means the same.</summary>
internal sealed class Member(Position at, Node target, string name) : Node(at, target)
{
    public Node Target { get; } = target;

    public string Name { get; } = name;
}

internal sealed class Has(Position at, Member member) : Node(at, member)
{
    public Member Member { get; } = member;
}

internal sealed class Element(Position at, Node target, Node key) : Node(at, target, key)
{
    public Node Target { get; } = target;

    public Node Key { get; } = key;
}

internal sealed class ListLiteral : Node
{
    public ListLiteral(Position at, Node[] items)
        : base(at, items)
    {
        Items = items;
        Work += items.Length;
    }

    public Node[] Items { get; }
}

internal sealed class MapLiteral : Node
{
    public MapLiteral(Position at, Node[] keys, Node[] values)
        : base(at, [.. keys, .. values])
    {
        (Keys, Values) = (keys, values);
        Work += keys.Length;
    }

    public Node[] Keys { get; }

    public Node[] Values { get; }
}

internal sealed class Unary(Position at, Operator operation, Node operand) : Node(at, operand)
{
    public Operator Operation { get; } = operation;

    public Node Operand { get; } = operand;
}

internal sealed class Binary(Position at, Operator operation, Node left, Node right) : Node(at, left, right)
{
    public Operator Operation { get; } = operation;

    public Node Left { get; } = left;

    public Node Right { get; } = right;
}

/// <summary>A chain of one of <c>&amp;&amp;</c> and <c>||</c>: one level, however long.</summary>
internal sealed class Chain(Position at, Operator operation, Node[] operands) : Node(at, operands)
{
    public Operator Operation { get; } = operation;

    public Node[] Operands { get; } = operands;
}

internal sealed class Conditional(Position at, Node condition, Node then, Node otherwise)
    : Node(at, condition, then, otherwise)
{
    public Node Condition { get; } = condition;

    public Node Then { get; } = then;

    public Node Otherwise { get; } = otherwise;
}

/// <summary>A call; of <c>x.f(y)</c> the first argument is <c>x</c>.</summary>
internal sealed class Call(Position at, string name, bool onTarget, Node[] arguments) : Node(at, arguments)
{
    public string Name { get; } = name;

    public bool OnTarget { get; } = onTarget;

    public Node[] Arguments { get; } = arguments;

    /// <summary>Set by the checker.</summary>
    public Function? Function { get; set; }

    /// <summary>Set by the checker where the function is <c>matches</c> and its pattern is a literal.</summary>
    public Pattern? Pattern { get; set; }
}

internal enum Macro
{
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

/// <summary><c>range.macro(variable, predicate, transform)</c>: over the elements of a list, or the keys of a map.</summary>
internal sealed class Comprehension : Node
{
    public Comprehension(Position at, Macro macro, Node range, string variable, Node? predicate, Node? transform)
        : base(at, [range, .. Given(predicate), .. Given(transform)])
    {
        (Macro, Range, Variable, Predicate, Transform) = (macro, range, variable, predicate, transform);
        WorkPerTurn = Work - range.Work;
        Work = range.Work + 1;
    }

    public Macro Macro { get; }

    public Node Range { get; }

    public string Variable { get; }

    public Node? Predicate { get; }

    public Node? Transform { get; }

    /// <summary>Cost units that each element is charged.</summary>
    public int WorkPerTurn { get; }

    /// <summary>Set by the checker: where its variable is among the locals.</summary>
    public int Slot { get; set; }

    private static Node[] Given(Node? node) => node is null ? [] : [node];
}
