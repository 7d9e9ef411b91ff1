using System.Globalization;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>Reads tokens into a tree, by precedence climbing, after the grammar of the CEL specification.</summary>
/// <remarks>
/// It recurses once per bracket, prefix operator or branch of a conditional, never more than
/// <see cref="Limits.Depth"/> of them, so no source can exhaust the stack.
/// </remarks>
internal sealed class Parser
{
    private static readonly HashSet<string> Reserved =
    [
        .. "as break const continue else for function if import let loop package namespace return var void while".Split(
            ' '
        ),
    ];

    private readonly Lexer _lexer;
    private Token _current;
    private int _nesting;

    private Parser(string source, int offset, Position at)
    {
        _lexer = new Lexer(source, offset, at);
        _current = _lexer.Next();
    }

    /// <summary>The tree of a source that is one expression and nothing else.</summary>
    public static Node Parse(string source)
    {
        var parser = new Parser(source, 0, Position.Start);
        var node = parser.ReadExpression();
        return parser._current.Kind == TokenKind.End ? node : throw parser.Unexpected("an operator or the end");
    }

    /// <summary>The tree of an expression that ends at a closing brace, and the offset after that brace.</summary>
    public static (Node Node, int End) ParseEmbedded(string source, int offset, Position at)
    {
        var parser = new Parser(source, offset, at);
        var node = parser.ReadExpression();
        return parser._current.Is("}") ? (node, parser._current.End) : throw parser.Unexpected("an operator or '}'");
    }

    private Node ReadExpression()
    {
        Enter();
        var condition = ReadOperands(Operators.LowestPrecedence);
        var at = _current.At;
        if (Accept("?"))
        {
            var then = ReadOperands(Operators.LowestPrecedence);
            Expect(":");
            condition = new Conditional(at, condition, then, ReadExpression());
        }

        _nesting--;
        return condition;
    }

    private Node ReadOperands(int lowest)
    {
        var left = ReadPrefix();
        while (Operators.OfToken(_current) is { } operation && Operators.Precedence(operation) >= lowest)
        {
            left = operation is Operator.And or Operator.Or ? ReadChain(left, operation) : ReadBinary(left, operation);
        }

        return left;
    }

    private Binary ReadBinary(Node left, Operator operation)
    {
        var at = Take().At;
        return new Binary(at, operation, left, ReadOperands(Operators.Precedence(operation) + 1));
    }

    private Chain ReadChain(Node first, Operator operation)
    {
        var at = _current.At;
        var operands = new List<Node> { first };
        while (Operators.OfToken(_current) == operation)
        {
            Take();
            operands.Add(ReadOperands(Operators.Precedence(operation) + 1));
        }

        return new Chain(at, operation, [.. operands]);
    }

    private Node ReadPrefix()
    {
        var at = _current.At;
        if (Accept("!"))
        {
            return new Unary(at, Operator.Not, ReadNestedPrefix());
        }

        if (Accept("-"))
        {
            // the lowest integer has no positive counterpart: its sign is part of the literal
            return _current.Kind == TokenKind.Int
                ? ReadSuffixes(ReadInt(at, negative: true))
                : new Unary(at, Operator.Negate, ReadNestedPrefix());
        }

        return ReadSuffixes(ReadPrimary());
    }

    private Node ReadNestedPrefix()
    {
        Enter();
        var operand = ReadPrefix();
        _nesting--;
        return operand;
    }

    private Node ReadSuffixes(Node target)
    {
        while (true)
        {
            var at = _current.At;
            if (Accept("."))
            {
                var name = TakeName("a member's name");
                target = _current.Is("(") ? ReadCall(name, target) : new Member(name.At, target, name.Text);
            }
            else if (Accept("["))
            {
                var key = ReadExpression();
                Expect("]");
                target = key is Literal { Value.Kind: Kinds.String } text
                    ? new Member(text.At, target, text.Value.Text())
                    : new Element(at, target, key);
            }
            else
            {
                return target;
            }
        }
    }

    private Node ReadPrimary()
    {
        var token = _current;
        switch (token.Kind)
        {
            case TokenKind.Int:
                return ReadInt(token.At, negative: false);
            case TokenKind.Double:
                return ReadDouble();
            case TokenKind.String:
                Take();
                return new Literal(token.At, Value.From(token.Text));
            case TokenKind.Name:
                return ReadNamed();
            case TokenKind.Symbol when Accept("("):
                var inner = ReadExpression();
                Expect(")");
                return inner;
            case TokenKind.Symbol when Accept("["):
                return new ListLiteral(token.At, ReadItems("]"));
            case TokenKind.Symbol when Accept("{"):
                return ReadMap(token.At);
            default:
                throw Unexpected("a value");
        }
    }

    private Node ReadNamed()
    {
        var name = Take();
        switch (name.Text)
        {
            case "true" or "false":
                return new Literal(name.At, Value.From(name.Text == "true"));
            case "null":
                return new Literal(name.At, Value.Null);
            case "in":
                throw Fail("'in' stands between two values.", name.At);
            case var text when Reserved.Contains(text):
                throw Fail($"'{text}' is a reserved word.", name.At);
            default:
                return _current.Is("(") ? ReadCall(name, target: null) : new Name(name.At, name.Text);
        }
    }

    private Node ReadCall(Token name, Node? target)
    {
        Expect("(");
        var arguments = ReadItems(")", trailingComma: false);
        if (Macros.Expand(name, target, arguments) is { } expanded)
        {
            return expanded;
        }

        return new Call(name.At, name.Text, target is not null, target is null ? arguments : [target, .. arguments]);
    }

    private Node[] ReadItems(string close, bool trailingComma = true)
    {
        var items = new List<Node>();
        while (!(_current.Is(close) && (trailingComma || items.Count == 0)))
        {
            items.Add(ReadExpression());
            if (!Accept(","))
            {
                break;
            }
        }

        Expect(close);
        return [.. items];
    }

    private MapLiteral ReadMap(Position at)
    {
        var (keys, values) = (new List<Node>(), new List<Node>());
        while (!_current.Is("}"))
        {
            keys.Add(ReadExpression());
            Expect(":");
            values.Add(ReadExpression());
            if (!Accept(","))
            {
                break;
            }
        }

        Expect("}");
        return new MapLiteral(at, [.. keys], [.. values]);
    }

    private Literal ReadInt(Position at, bool negative)
    {
        var digits = Take().Text;
        var magnitude = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? UInt128.TryParse(digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var hex)
                ? hex
                : UInt128.MaxValue
            : UInt128.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var plain)
                ? plain
                : UInt128.MaxValue;
        var limit = negative ? (UInt128)long.MaxValue + 1 : (UInt128)long.MaxValue;
        return magnitude <= limit
            ? new Literal(at, Value.From(unchecked(negative ? -(long)magnitude : (long)magnitude)))
            : throw Fail($"{(negative ? "-" : "")}{digits} is not a 64-bit integer.", at);
    }

    private Literal ReadDouble()
    {
        var token = Take();
        var number = double.Parse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture);
        return double.IsFinite(number)
            ? new Literal(token.At, Value.From(number))
            : throw Fail($"{token.Text} is too large for a double.", token.At);
    }

    private Token TakeName(string wanted) =>
        _current is { Kind: TokenKind.Name, Text: not ("true" or "false" or "null" or "in") }
            ? Take()
            : throw Unexpected(wanted);

    private Token Take()
    {
        var taken = _current;
        _current = _lexer.Next();
        return taken;
    }

    private bool Accept(string symbol)
    {
        if (!_current.Is(symbol))
        {
            return false;
        }

        Take();
        return true;
    }

    private void Expect(string symbol)
    {
        if (!Accept(symbol))
        {
            throw Unexpected($"'{symbol}'");
        }
    }

    private void Enter()
    {
        if (++_nesting > Limits.Depth)
        {
            throw new CompilationException(
                ErrorCode.TooDeep,
                $"The expression is nested more than {Limits.Depth} levels deep.",
                _current.At
            );
        }
    }

    private CompilationException Unexpected(string wanted) =>
        Fail($"Expected {wanted}, found {_current.Describe()}.", _current.At);

    private static CompilationException Fail(string message, Position at) => new(ErrorCode.Syntax, message, at);
}
