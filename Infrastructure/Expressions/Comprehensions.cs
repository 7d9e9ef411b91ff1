namespace Bellhop.Infrastructure.Expressions;

/// <summary>The compiled macros over lists and map keys. Each element is charged for before it is looked at.</summary>
internal static class Comprehensions
{
    public static Code Compile(Comprehension comprehension)
    {
        var run = comprehension.Macro switch
        {
            Macro.All => Quantify(comprehension, deciding: false),
            Macro.Exists => Quantify(comprehension, deciding: true),
            Macro.ExistsOne => CountOne(comprehension),
            _ => Collect(comprehension),
        };
        var (range, at) = (Compiler.Compile(comprehension.Range), comprehension.At);
        return (ref frame) =>
        {
            var values = range(ref frame);
            return values.Kind.MayBe(Kinds.List | Kinds.Map) ? run(ref frame, values)
                : values.IsError ? values
                : Value.Failed(
                    ErrorCode.TypeMismatch,
                    $"A comprehension goes over a list or a map, not {values.Kind.Describe()}.",
                    at
                );
        };
    }

    private delegate Value Run(ref Frame frame, in Value range);

    /// <summary><c>all</c> and <c>exists</c>: as a long chain of <c>&amp;&amp;</c> or <c>||</c>, errors included.</summary>
    private static Run Quantify(Comprehension comprehension, bool deciding)
    {
        var turn = new Turn(comprehension);
        var (predicate, at) = (Compiler.Compile(comprehension.Predicate!), comprehension.Predicate!.At);
        return (ref frame, in range) =>
        {
            var result = Value.From(!deciding);
            for (var elements = range.GetElements(); elements.MoveNext(); )
            {
                if (!turn.TryBegin(ref frame, range, elements))
                {
                    return frame.OutOfBudget;
                }

                var value = predicate(ref frame);
                if (!value.TryGetBool(out var answer))
                {
                    result = result.IsError ? result : Compiler.NotABool(value, at);
                }
                else if (answer == deciding)
                {
                    return value;
                }
            }

            return result;
        };
    }

    /// <summary><c>exists_one</c>: every element is looked at, and an error is the result.</summary>
    private static Run CountOne(Comprehension comprehension)
    {
        var turn = new Turn(comprehension);
        var (predicate, at) = (Compiler.Compile(comprehension.Predicate!), comprehension.Predicate!.At);
        return (ref frame, in range) =>
        {
            var count = 0;
            for (var elements = range.GetElements(); elements.MoveNext(); )
            {
                if (!turn.TryBegin(ref frame, range, elements))
                {
                    return frame.OutOfBudget;
                }

                var value = predicate(ref frame);
                if (!value.TryGetBool(out var counts))
                {
                    return Compiler.NotABool(value, at);
                }

                count += counts ? 1 : 0;
            }

            return Value.From(count == 1);
        };
    }

    /// <summary><c>filter</c> and <c>map</c>: a list of those the predicate lets pass, transformed.</summary>
    private static Run Collect(Comprehension comprehension)
    {
        var (turn, at) = (new Turn(comprehension), comprehension.At);
        var predicate = comprehension.Predicate is { } condition ? Compiler.Compile(condition) : null;
        var predicateAt = comprehension.Predicate?.At ?? at;
        var transform = comprehension.Transform is { } written ? Compiler.Compile(written) : turn.Current;
        return (ref frame, in range) =>
        {
            var collected = new List<Value>();
            for (var elements = range.GetElements(); elements.MoveNext(); )
            {
                if (!turn.TryBegin(ref frame, range, elements))
                {
                    return frame.OutOfBudget;
                }

                var passes = true;
                if (predicate?.Invoke(ref frame) is { } value && !value.TryGetBool(out passes))
                {
                    return Compiler.NotABool(value, predicateAt);
                }

                var item = passes ? transform(ref frame) : default;
                if (item.IsError || (passes && collected.Count == Limits.Elements))
                {
                    return item.IsError ? item : Arithmetic.TooManyElements(at);
                }

                if (passes)
                {
                    collected.Add(item);
                }
            }

            return Value.ListOf([.. collected]);
        };
    }

    /// <summary>One element's turn: its cost, and its place among the locals.</summary>
    private sealed class Turn(Comprehension comprehension)
    {
        private readonly int _slot = comprehension.Slot;
        private readonly int _work = comprehension.WorkPerTurn;
        private readonly Position _at = comprehension.At;

        public bool TryBegin(ref Frame frame, in Value range, in Elements elements)
        {
            frame.Locals[_slot] = range.Kind == Kinds.List ? elements.Item : Value.From(elements.Key);
            return frame.TryCharge(_work, _at);
        }

        public Value Current(ref Frame frame) => frame.Locals[_slot];
    }
}
