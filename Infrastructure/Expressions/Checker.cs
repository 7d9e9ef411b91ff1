using System.Diagnostics;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>
/// Resolves every name and function of a tree, and refuses what can be seen to fail before it runs: names and members
/// that are not there, wrong numbers of arguments, operands that never go together.
/// </summary>
internal sealed class Checker
{
    private readonly Scope _scope;
    private readonly List<(string Name, Shape Shape)> _locals = [];

    private readonly HashSet<(string Name, string Member)> _named = [];

    private int _localCount;

    private Checker(Scope scope) => _scope = scope;

    /// <summary>Checks and completes the tree.</summary>
    /// <returns>How many locals its comprehensions need at once, and which members it names of what is used by name alone.</returns>
    public static (int Locals, IReadOnlySet<(string Name, string Member)> Named) Check(
        Node node,
        Scope scope,
        bool isCondition
    )
    {
        var checker = new Checker(scope);
        if (isCondition)
        {
            checker.Require(node, Kinds.Bool, "A condition");
        }
        else
        {
            checker.ShapeOf(node);
        }

        return (checker._localCount, checker._named);
    }

    private Shape ShapeOf(Node node) =>
        node switch
        {
            Literal literal => Shape.Of(literal.Value.Kind),
            Name name => ShapeOf(name),
            Member member => ShapeOf(member),
            Has has => ShapeOf(has),
            Element element => ShapeOf(element),
            ListLiteral list => ShapeOf(list),
            MapLiteral map => ShapeOf(map),
            Unary unary => ShapeOf(unary),
            Binary binary => ShapeOf(binary),
            Chain chain => ShapeOf(chain),
            Conditional conditional => ShapeOf(conditional),
            Call call => ShapeOf(call),
            Comprehension comprehension => ShapeOf(comprehension),
            _ => throw new UnreachableException($"No rule for {node.GetType().Name}."),
        };

    private Kinds KindsOf(Node node) => ShapeOf(node).Kinds;

    /// <param name="name">A name.</param>
    /// <param name="isOwner">Whether one of its members is what is meant.</param>
    private Shape ShapeOf(Name name, bool isOwner = false)
    {
        // the innermost comprehension comes last, and hides what is outside it
        var local = _locals.FindLastIndex(candidate => candidate.Name == name.Text);
        if (local >= 0)
        {
            (name.Slot, name.IsLocal) = (local, true);
            return _locals[local].Shape;
        }

        if (!_scope.TryFind(name.Text, out var root))
        {
            var known = _locals.Select(candidate => candidate.Name).Concat(_scope.Names);
            throw Fail(
                ErrorCode.UnknownName,
                $"There is nothing named '{name.Text}'{Suggestion.For(name.Text, known)}",
                name.At
            );
        }

        name.Slot = root.Slot;
        return root.Shape.IsNamed && !isOwner
            ? throw Fail(
                ErrorCode.NamedOnly,
                $"A member of '{name.Text}' is used by its name: {name.Text}.a or {name.Text}['a-b'].",
                name.At
            )
            : root.Shape;
    }

    private Shape ShapeOf(Member member)
    {
        var target = member.Target is Name name ? ShapeOf(name, isOwner: true) : ShapeOf(member.Target);
        if (target.IsNamed)
        {
            _named.Add((((Name)member.Target).Text, member.Name));
        }
        if (!target.Kinds.MayBe(Kinds.Map))
        {
            throw Fail(
                ErrorCode.TypeMismatch,
                $"{target.Kinds.Describe()} has no member '{member.Name}', nor any other.",
                member.At
            );
        }

        return target.TryGetMember(member.Name, out var shape)
            ? shape
            : throw Fail(
                ErrorCode.UnknownMember,
                $"There is no member '{member.Name}' here{Suggestion.For(member.Name, target.Members)}",
                member.At
            );
    }

    private Shape ShapeOf(Has has)
    {
        ShapeOf(has.Member);
        return Shape.Of(Kinds.Bool);
    }

    private Shape ShapeOf(Element element)
    {
        var (target, key) = (KindsOf(element.Target), KindsOf(element.Key));
        var fits =
            (target.MayBe(Kinds.List) && key.MayBe(Kinds.Number))
            || (target.MayBe(Kinds.Map) && key.MayBe(Kinds.String));
        return fits
            ? Shape.Free
            : throw Fail(
                ErrorCode.TypeMismatch,
                $"{target.Describe()} has no element at {key.Describe()}; a list has them at int, a map at string.",
                element.At
            );
    }

    private Shape ShapeOf(ListLiteral list)
    {
        foreach (var item in list.Items)
        {
            ShapeOf(item);
        }

        return Shape.Of(Kinds.List);
    }

    private Shape ShapeOf(MapLiteral map)
    {
        var literalKeys = new HashSet<string>();
        foreach (var key in map.Keys)
        {
            Require(key, Kinds.String, "The key of a map");
            if (key is Literal literal && !literalKeys.Add(literal.Value.Text()))
            {
                throw Fail(ErrorCode.DuplicateKey, $"The key '{literal.Value.Text()}' is given twice.", key.At);
            }
        }

        foreach (var value in map.Values)
        {
            ShapeOf(value);
        }

        return Shape.Of(Kinds.Map);
    }

    private Shape ShapeOf(Unary unary)
    {
        var operand = KindsOf(unary.Operand);
        var result = Operators.Result(unary.Operation, operand);
        return result != Kinds.None
            ? Shape.Of(result)
            : throw Fail(
                ErrorCode.TypeMismatch,
                $"'{unary.Operation.Symbol()}' does not take {operand.Describe()}.",
                unary.At
            );
    }

    private Shape ShapeOf(Binary binary)
    {
        var (left, right) = (KindsOf(binary.Left), KindsOf(binary.Right));
        var result = Operators.Result(binary.Operation, left, right);
        if (result != Kinds.None)
        {
            return Shape.Of(result);
        }

        var symbol = binary.Operation.Symbol();
        throw Fail(
            ErrorCode.TypeMismatch,
            binary.Operation is Operator.Equal or Operator.NotEqual
                ? $"{left.Describe()} and {right.Describe()} are never equal; '{symbol}' has nothing to decide."
                : $"'{symbol}' does not take {left.Describe()} and {right.Describe()}.",
            binary.At
        );
    }

    private Shape ShapeOf(Chain chain)
    {
        foreach (var operand in chain.Operands)
        {
            Require(operand, Kinds.Bool, $"What '{chain.Operation.Symbol()}' takes");
        }

        return Shape.Of(Kinds.Bool);
    }

    private Shape ShapeOf(Conditional conditional)
    {
        Require(conditional.Condition, Kinds.Bool, "The condition before '?'");
        var (then, otherwise) = (ShapeOf(conditional.Then), ShapeOf(conditional.Otherwise));
        return ReferenceEquals(then, otherwise) ? then : Shape.Of(then.Kinds | otherwise.Kinds);
    }

    private Shape ShapeOf(Call call)
    {
        var function = Functions.Find(call.Name);
        var style = call.OnTarget ? CallStyle.OnTarget : CallStyle.Free;
        if (function is null || (function.Style & style) == 0)
        {
            throw Fail(ErrorCode.UnknownFunction, Unknown(call, function), call.At);
        }

        if (call.Arguments.Length != function.Parameters.Length)
        {
            var taken = function.Parameters.Length - (call.OnTarget ? 1 : 0);
            throw Fail(
                ErrorCode.ArgumentCount,
                $"{call.Name} takes {taken} argument{(taken == 1 ? "" : "s")} here.",
                call.At
            );
        }

        for (var i = 0; i < call.Arguments.Length; i++)
        {
            Require(call.Arguments[i], function.Parameters[i], i == 0 ? $"What {call.Name} is of" : "The argument");
        }

        call.Function = function;
        call.Pattern = PatternOf(call);
        return Shape.Of(function.Result);
    }

    private Shape ShapeOf(Comprehension comprehension)
    {
        var range = KindsOf(comprehension.Range);
        if (!range.MayBe(Kinds.List | Kinds.Map))
        {
            throw Fail(
                ErrorCode.TypeMismatch,
                $"A comprehension goes over a list or a map, not {range.Describe()}.",
                comprehension.At
            );
        }

        comprehension.Slot = _locals.Count;
        _locals.Add((comprehension.Variable, range == Kinds.Map ? Shape.Text : Shape.Free));
        _localCount = Math.Max(_localCount, _locals.Count);
        if (comprehension.Predicate is { } predicate)
        {
            Require(predicate, Kinds.Bool, "The condition");
        }

        if (comprehension.Transform is { } transform)
        {
            ShapeOf(transform);
        }

        _locals.RemoveAt(comprehension.Slot);
        return Shape.Of(comprehension.Macro is Macro.Filter or Macro.Map ? Kinds.List : Kinds.Bool);
    }

    private void Require(Node node, Kinds wanted, string what)
    {
        var kinds = KindsOf(node);
        if (!kinds.MayBe(wanted))
        {
            throw Fail(ErrorCode.TypeMismatch, $"{what} is {wanted.Describe()}, not {kinds.Describe()}.", node.At);
        }
    }

    private static Pattern? PatternOf(Call call)
    {
        if (call is not { Name: "matches", Arguments: [_, Literal pattern] })
        {
            return null;
        }

        return Pattern.TryCompile(pattern.Value.Text(), out var reason)
            ?? throw Fail(ErrorCode.BadPattern, $"This is not a pattern: {reason}.", pattern.At);
    }

    private static string Unknown(Call call, Function? function) =>
        function is null
            ? $"There is no function '{call.Name}'" + Suggestion.For(call.Name, Functions.Names.Concat(Macros.Names))
            : $"{call.Name} is called as {(call.OnTarget ? $"{call.Name}(x)" : $"x.{call.Name}(…)")}.";

    private static CompilationException Fail(string code, string message, Position at) => new(code, message, at);
}
