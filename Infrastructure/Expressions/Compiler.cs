using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>A compiled node. An error is a value too, and what is given one hands it on.</summary>
internal delegate Value Code(ref Frame frame);

/// <summary>Turns a checked tree into delegates, once; evaluating does not look at the tree again.</summary>
internal static class Compiler
{
    public static Code Compile(Node node) =>
        node switch
        {
            Literal literal => Compile(literal),
            Name name => Compile(name),
            Member member => Compile(member),
            Has has => Compile(has),
            Element element => Compile(element),
            ListLiteral list => Compile(list),
            MapLiteral map => Compile(map),
            Unary unary => Compile(unary),
            Binary binary => Compile(binary),
            Chain chain => Compile(chain),
            Conditional conditional => Compile(conditional),
            Call { Pattern: { } pattern } call => Compile(call, pattern),
            Call call => Compile(call),
            Comprehension comprehension => Comprehensions.Compile(comprehension),
            _ => throw new UnreachableException($"No code for {node.GetType().Name}."),
        };

    /// <summary>The error of a value that had to be a bool, or the error that it is.</summary>
    public static Value NotABool(in Value value, Position at) =>
        value.IsError
            ? value
            : Value.Failed(ErrorCode.TypeMismatch, $"A condition is bool, not {value.Kind.Describe()}.", at);

    private static Code Compile(Literal literal)
    {
        var value = literal.Value;
        return (ref _) => value;
    }

    private static Code Compile(Name name)
    {
        var slot = name.Slot;
        return name.IsLocal ? (ref frame) => frame.Locals[slot] : (ref frame) => frame.Roots[slot];
    }

    private static Code Compile(Member member)
    {
        var (target, name, at) = (Compile(member.Target), member.Name, member.At);
        var utf8 = Encoding.UTF8.GetBytes(name);
        return (ref frame) =>
        {
            var owner = target(ref frame);
            return !CanHaveMembers(ref frame, owner, name, at, out var error) ? error
                : owner.TryGetMember(name, utf8, out var value) ? value
                : Missing(name, at);
        };
    }

    private static Code Compile(Has has)
    {
        var (target, name, at) = (Compile(has.Member.Target), has.Member.Name, has.Member.At);
        var utf8 = Encoding.UTF8.GetBytes(name);
        return (ref frame) =>
        {
            var owner = target(ref frame);
            return CanHaveMembers(ref frame, owner, name, at, out var error)
                ? Value.From(owner.TryGetMember(name, utf8, out _))
                : error;
        };
    }

    private static bool CanHaveMembers(ref Frame frame, in Value owner, string name, Position at, out Value error)
    {
        if (owner.Kind != Kinds.Map)
        {
            error = owner.IsError
                ? owner
                : Value.Failed(ErrorCode.TypeMismatch, $"{owner.Kind.Describe()} has no member '{name}'.", at);
            return false;
        }

        // a document is searched, not indexed
        var isAffordable = frame.TryCharge(owner.Count / 16, at);
        error = isAffordable ? default : frame.OutOfBudget;
        return isAffordable;
    }

    private static Value Missing(string name, Position at) =>
        Value.Failed(ErrorCode.MissingMember, $"There is no member '{Short(name)}'.", at);

    // a name that was computed may be a megabyte
    private static string Short(string name) => name.Length <= 100 ? name : $"{name[..100]}…";

    private static Code Compile(Element element)
    {
        var (target, key, at) = (Compile(element.Target), Compile(element.Key), element.At);
        return (ref frame) =>
        {
            var owner = target(ref frame);
            if (owner.IsError)
            {
                return owner;
            }

            var place = key(ref frame);
            return place.IsError ? place : ElementAt(ref frame, owner, place, at);
        };
    }

    private static Value ElementAt(ref Frame frame, in Value owner, in Value place, Position at)
    {
        if (owner.Kind == Kinds.Map && place.Kind == Kinds.String)
        {
            if (!frame.TryChargeReading(place, at))
            {
                return frame.OutOfBudget;
            }

            var name = place.Text();
            return !CanHaveMembers(ref frame, owner, name, at, out var error) ? error
                : owner.TryGetMember(name, out var value) ? value
                : Missing(name, at);
        }

        if (owner.Kind != Kinds.List || !place.IsNumber || place.Double != Math.Truncate(place.Double))
        {
            return Value.Failed(
                ErrorCode.TypeMismatch,
                $"{owner.Kind.Describe()} has no element at {place.Kind.Describe()}.",
                at
            );
        }

        // a document is walked to the element
        return place.Double < 0 || place.Double >= owner.Count
                ? Value.Failed(ErrorCode.IndexOutOfRange, $"There is no element {place.Double} of {owner.Count}.", at)
            : frame.TryCharge((int)place.Double / 16, at) ? owner.ItemAt((int)place.Double)
            : frame.OutOfBudget;
    }

    private static Code Compile(ListLiteral list)
    {
        var items = Array.ConvertAll(list.Items, Compile);
        return (ref frame) =>
        {
            var values = new Value[items.Length];
            for (var i = 0; i < items.Length; i++)
            {
                values[i] = items[i](ref frame);
                if (values[i].IsError)
                {
                    return values[i];
                }
            }

            return Value.ListOf(values);
        };
    }

    private static Code Compile(MapLiteral map)
    {
        var (keys, values) = (Array.ConvertAll(map.Keys, Compile), Array.ConvertAll(map.Values, Compile));
        var places = Array.ConvertAll(map.Keys, key => key.At);
        return (ref frame) =>
        {
            var members = new OrderedDictionary<string, Value>(keys.Length);
            for (var i = 0; i < keys.Length; i++)
            {
                var key = keys[i](ref frame);
                var value = key.IsError ? key : values[i](ref frame);
                if (value.IsError)
                {
                    return value;
                }

                if (TryAdd(ref frame, members, key, value, places[i]) is { } error)
                {
                    return Value.Failed(error);
                }
            }

            return Value.MapOf(members);
        };
    }

    private static ExpressionError? TryAdd(
        ref Frame frame,
        OrderedDictionary<string, Value> members,
        in Value key,
        in Value value,
        Position at
    )
    {
        if (key.Kind != Kinds.String)
        {
            var found = key.Kind.Describe();
            return new ExpressionError(ErrorCode.TypeMismatch, $"The key of a map is string, not {found}.", at);
        }

        return !frame.TryChargeReading(key, at) ? frame.Exhausted
            : members.TryAdd(key.Text(), value) ? null
            : new ExpressionError(ErrorCode.DuplicateKey, $"The key '{Short(key.Text())}' is given twice.", at);
    }

    private static Code Compile(Unary unary)
    {
        var (operand, at) = (Compile(unary.Operand), unary.At);
        return unary.Operation == Operator.Not
            ? (ref frame) => Arithmetic.Not(operand(ref frame), at)
            : (ref frame) => Arithmetic.Negate(operand(ref frame), at);
    }

    private static Code Compile(Binary binary)
    {
        var (left, right, at) = (Compile(binary.Left), Compile(binary.Right), binary.At);
        var operation = OperationOf(binary.Operation);
        return (ref frame) =>
        {
            var first = left(ref frame);
            if (first.IsError)
            {
                return first;
            }

            var second = right(ref frame);
            return operation(ref frame, first, second, at);
        };
    }

    private static BinaryOperation OperationOf(Operator operation) =>
        operation switch
        {
            Operator.Equal => Comparison.Equal,
            Operator.NotEqual => Comparison.NotEqual,
            Operator.Less => Comparison.Less,
            Operator.LessOrEqual => Comparison.LessOrEqual,
            Operator.Greater => Comparison.Greater,
            Operator.GreaterOrEqual => Comparison.GreaterOrEqual,
            Operator.In => Comparison.In,
            Operator.Add => Arithmetic.Add,
            Operator.Subtract => Arithmetic.Subtract,
            Operator.Multiply => Arithmetic.Multiply,
            Operator.Divide => Arithmetic.Divide,
            Operator.Remainder => Arithmetic.Remainder,
            _ => throw new UnreachableException($"{operation} does not stand between two values."),
        };

    /// <summary>One operand that decides is enough, wherever it stands: an error beside it does not count.</summary>
    private static Code Compile(Chain chain)
    {
        var operands = Array.ConvertAll(chain.Operands, Compile);
        var places = Array.ConvertAll(chain.Operands, operand => operand.At);
        var deciding = chain.Operation == Operator.Or;
        return (ref frame) =>
        {
            var result = Value.From(!deciding);
            for (var i = 0; i < operands.Length; i++)
            {
                var value = operands[i](ref frame);
                if (!value.TryGetBool(out var answer))
                {
                    result = result.IsError ? result : NotABool(value, places[i]);
                }
                else if (answer == deciding)
                {
                    return value;
                }
            }

            return result;
        };
    }

    private static Code Compile(Conditional conditional)
    {
        var (condition, at) = (Compile(conditional.Condition), conditional.Condition.At);
        var (then, otherwise) = (Compile(conditional.Then), Compile(conditional.Otherwise));
        return (ref frame) =>
        {
            var value = condition(ref frame);
            return !value.TryGetBool(out var isTrue) ? NotABool(value, at)
                : isTrue ? then(ref frame)
                : otherwise(ref frame);
        };
    }

    private static Code Compile(Call call)
    {
        var (function, at) = (call.Function!, call.At);
        var arguments = Array.ConvertAll(call.Arguments, Compile);
        return (ref frame) =>
        {
            var buffer = default(ArgumentBuffer);
            Span<Value> values = buffer;
            for (var i = 0; i < arguments.Length; i++)
            {
                values[i] = arguments[i](ref frame);
                if (!values[i].Kind.MayBe(function.Parameters[i]))
                {
                    return WrongArgument(values[i], function, i, at);
                }

                if (values[i].Kind == Kinds.String && !frame.TryChargeReading(values[i], at))
                {
                    return frame.OutOfBudget;
                }
            }

            return function.Body(ref frame, values[..arguments.Length], at);
        };
    }

    private static Code Compile(Call call, Pattern pattern)
    {
        var (target, function, at) = (Compile(call.Arguments[0]), call.Function!, call.At);
        return (ref frame) =>
        {
            var text = target(ref frame);
            return text.Kind != Kinds.String ? WrongArgument(text, function, 0, at)
                : frame.TryChargeReading(text, at) ? pattern.Search(ref frame, text.Text(), at)
                : frame.OutOfBudget;
        };
    }

    private static Value WrongArgument(in Value value, Function function, int index, Position at) =>
        value.IsError
            ? value
            : Value.Failed(
                ErrorCode.TypeMismatch,
                $"{function.Name} takes {function.Parameters[index].Describe()}, not {value.Kind.Describe()}.",
                at
            );

    /// <summary>Room for the arguments of any function, on the stack.</summary>
    [InlineArray(4)]
    private struct ArgumentBuffer
    {
        private Value _first;
    }
}
