using System.Globalization;
using System.Text;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>A place in the source: line and column from 1, columns in Unicode code points.</summary>
internal readonly record struct Position(int Line, int Column)
{
    public static readonly Position Start = new(1, 1);
}

internal enum TokenKind
{
    End,
    Name,
    Int,
    Double,
    String,
    Symbol,
}

/// <param name="Text">The symbol, name or digits as written; of a string, what it stands for.</param>
/// <param name="End">Offset in the source of what follows.</param>
internal readonly record struct Token(TokenKind Kind, string Text, Position At, int End)
{
    public bool Is(string symbol) => Kind == TokenKind.Symbol && Text == symbol;

    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public string Describe() =>
        Kind switch
        {
            TokenKind.End => "the end of the expression",
            TokenKind.String => "a string",
            _ => $"'{Text}'",
        };
}

/// <summary>Cuts source into tokens, one at a time, so that a template can go on where its expression ends.</summary>
/// <remarks>Every character is accounted for: what is no token is an error with its place, never skipped.</remarks>
internal sealed class Lexer(string source, int offset, Position at)
{
    // longest first, so that "<=" is not read as "<"
    private static readonly string[] Symbols = "== != <= >= && || + - * / % ! < > ? : , . ( ) [ ] { }".Split(' ');

    private int _offset = offset;
    private Position _at = at;

    public Token Next()
    {
        SkipBlanksAndComments();
        var startAt = _at;
        var (kind, text) = Peek() switch
        {
            '\0' when _offset >= source.Length => (TokenKind.End, ""),
            '"' or '\'' => (TokenKind.String, ReadString(raw: false)),
            'r' or 'R' when Peek(1) is '"' or '\'' => (TokenKind.String, ReadString(raw: true)),
            'b' or 'B' when Peek(1) is '"' or '\'' => throw Fail("Bytes are not part of this language.", startAt),
            var first when IsNameStart(first) => (TokenKind.Name, ReadName()),
            var first when char.IsAsciiDigit(first) || (first == '.' && char.IsAsciiDigit(Peek(1))) => ReadNumber(),
            _ => (TokenKind.Symbol, ReadSymbol()),
        };
        return new Token(kind, text, startAt, _offset);
    }

    private void SkipBlanksAndComments()
    {
        while (true)
        {
            if (Peek() is ' ' or '\t' or '\r' or '\n' or '\f')
            {
                Advance();
            }
            else if (Peek() == '/' && Peek(1) == '/')
            {
                while (_offset < source.Length && Peek() is not ('\r' or '\n'))
                {
                    Advance();
                }
            }
            else
            {
                return;
            }
        }
    }

    private string ReadName()
    {
        var start = _offset;
        while (IsNameStart(Peek()) || char.IsAsciiDigit(Peek()))
        {
            Advance();
        }

        return source[start.._offset];
    }

    private (TokenKind Kind, string Text) ReadNumber()
    {
        var (start, startAt) = (_offset, _at);
        var kind = TokenKind.Int;
        if (Peek() == '0' && Peek(1) is 'x' or 'X')
        {
            Advance(2);
            SkipWhile(char.IsAsciiHexDigit);
        }
        else
        {
            SkipWhile(char.IsAsciiDigit);
            if (Peek() == '.' && char.IsAsciiDigit(Peek(1)))
            {
                kind = TokenKind.Double;
                Advance();
                SkipWhile(char.IsAsciiDigit);
            }

            if (
                Peek() is 'e' or 'E'
                && (char.IsAsciiDigit(Peek(1)) || (Peek(1) is '+' or '-' && char.IsAsciiDigit(Peek(2))))
            )
            {
                kind = TokenKind.Double;
                Advance(2);
                SkipWhile(char.IsAsciiDigit);
            }
        }

        return IsNameStart(Peek())
            ? throw Fail($"'{source[start..(_offset + 1)]}' is not a number.", startAt)
            : (kind, source[start.._offset]);
    }

    private string ReadSymbol()
    {
        foreach (var symbol in Symbols)
        {
            if (string.CompareOrdinal(source, _offset, symbol, 0, symbol.Length) == 0)
            {
                Advance(symbol.Length);
                return symbol;
            }
        }

        throw Peek() switch
        {
            '=' => Fail("'=' is not an operator; equality is '=='.", _at),
            '&' => Fail("'&' is not an operator; and is '&&'.", _at),
            '|' => Fail("'|' is not an operator; or is '||'.", _at),
            _ => Fail($"{Printable(_offset)} has no meaning here.", _at),
        };
    }

    private string ReadString(bool raw)
    {
        var startAt = _at;
        Advance(raw ? 1 : 0);
        var quote = Peek();
        var triple = Peek(1) == quote && Peek(2) == quote;
        var width = triple ? 3 : 1;
        Advance(width);
        var text = new StringBuilder();
        while (!AtQuotes(quote, width))
        {
            if (_offset >= source.Length || (!triple && Peek() is '\r' or '\n'))
            {
                throw Fail("This string is not closed.", startAt);
            }

            if (Peek() == '\\' && !raw)
            {
                ReadEscape(text);
            }
            else
            {
                text.Append(Peek() == '\0' ? throw NoNul(_at) : Peek());
                Advance();
            }
        }

        Advance(width);
        return text.ToString();
    }

    private void ReadEscape(StringBuilder text)
    {
        var startAt = _at;
        Advance();
        var letter = Peek();
        Advance();
        var simple = "abfnrtv\\?\"'`".IndexOf(letter);
        if (simple >= 0 && letter != '\0')
        {
            text.Append("\a\b\f\n\r\t\v\\?\"'`"[simple]);
            return;
        }

        var code = letter switch
        {
            'x' or 'X' => ReadCode(2, 16, startAt),
            'u' => ReadCode(4, 16, startAt),
            'U' => ReadCode(8, 16, startAt),
            >= '0' and <= '3' => ReadCode(2, 8, startAt) + (64 * (uint)(letter - '0')),
            _ => throw Fail("This escape is not known; a backslash itself is written '\\\\'.", startAt),
        };
        text.Append(
            code == 0 ? throw NoNul(startAt)
            : Rune.TryCreate(code, out var rune) ? rune.ToString()
            : throw Fail($"U+{code:X4} is not a character.", startAt)
        );
    }

    private uint ReadCode(int digits, int radix, Position startAt)
    {
        var code = 0u;
        for (var i = 0; i < digits; i++, Advance())
        {
            var digit = char.IsAsciiHexDigit(Peek()) ? Convert.ToUInt32(Peek().ToString(), 16) : uint.MaxValue;
            code =
                digit < radix
                    ? (code * (uint)radix) + digit
                    : throw Fail(
                        $"This escape needs {digits} {(radix == 8 ? "more octal" : "hexadecimal")} digits.",
                        startAt
                    );
        }

        return code;
    }

    private bool AtQuotes(char quote, int width) =>
        Peek() == quote && (width == 1 || (Peek(1) == quote && Peek(2) == quote));

    private void SkipWhile(Func<char, bool> wanted)
    {
        while (wanted(Peek()))
        {
            Advance();
        }
    }

    private char Peek(int ahead = 0) => _offset + ahead < source.Length ? source[_offset + ahead] : '\0';

    private void Advance(int count = 1)
    {
        for (; count > 0 && _offset < source.Length; count--, _offset++)
        {
            _at = After(_at, source, _offset);
        }
    }

    /// <summary>The position after the character at an offset: CR LF is one line end, a surrogate pair one column.</summary>
    public static Position After(Position at, string source, int offset) =>
        source[offset] switch
        {
            '\r' when offset + 1 < source.Length && source[offset + 1] == '\n' => at,
            '\n' or '\r' => new Position(at.Line + 1, 1),
            var character when char.IsLowSurrogate(character) => at,
            _ => at with { Column = at.Column + 1 },
        };

    private string Printable(int at) =>
        Rune.TryGetRuneAt(source, at, out var rune) && !Rune.IsControl(rune)
            ? $"'{rune}'"
            : string.Create(CultureInfo.InvariantCulture, $"U+{(int)source[at]:X4}");

    private static bool IsNameStart(char character) => char.IsAsciiLetter(character) || character == '_';

    private static CompilationException NoNul(Position at) => Fail("A string cannot hold U+0000.", at);

    private static CompilationException Fail(string message, Position at) => new(ErrorCode.Syntax, message, at);
}
