using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>A regular expression as <c>matches</c> understands it: RE2's, found anywhere in the text.</summary>
/// <remarks>
/// It runs on .NET's non-backtracking engine, in time linear in the text. Where .NET reads a pattern differently from
/// RE2 the pattern is rewritten: <c>$</c> is the very end, <c>\d \w \s</c> are ASCII. Look-around and
/// back-references are refused, as in RE2.
/// </remarks>
internal sealed partial class Pattern
{
    private readonly string _written;

    // replaced by any evaluation, read by all; whichever they read is right
    private volatile Regex _regex;

    // the first search of a process waits for the JIT, which no author should pay for
    static Pattern() => Build("^(a|[^b])+c?$").IsMatch("aaab");

    private Pattern(string written)
    {
        _written = written;
        _regex = Build(written);
    }

    /// <summary>The pattern, or null and the reason why it is none.</summary>
    public static Pattern? TryCompile(string pattern, out string reason)
    {
        reason = "";
        if (pattern.Length > Limits.PatternLength)
        {
            reason = $"a pattern has at most {Limits.PatternLength} characters";
            return null;
        }

        if (pattern.Contains("[[:", StringComparison.Ordinal))
        {
            reason = "POSIX classes such as [[:alpha:]] are not supported";
            return null;
        }

        try
        {
            return new Pattern(ToDotNet(pattern));
        }
        catch (RegexParseException refused)
        {
            reason = $"{refused.Error}, at character {refused.Offset + 1}";
        }
        catch (NotSupportedException)
        {
            reason = "it needs look-around, a back-reference or too many states";
        }

        return null;
    }

    /// <summary>Whether the pattern is found in the text.</summary>
    public Value Search(ref Frame frame, string text, Position at)
    {
        var started = Stopwatch.GetTimestamp();
        var found = IsFound(text);
        var taken = found is null ? Limits.SearchTime : Stopwatch.GetElapsedTime(started);
        if (taken > Limits.SlowSearch)
        {
            // the engine would keep what it grew, tens of megabytes, for as long as the expression lives
            _regex = Build(_written);
        }

        return frame.TryCharge(taken, at) && found is { } answer ? Value.From(answer) : frame.OutOfBudget;
    }

    /// <summary>Null where the search took too long, which is more than any evaluation may spend.</summary>
    private bool? IsFound(string text)
    {
        try
        {
            return _regex.IsMatch(text);
        }
        catch (RegexMatchTimeoutException)
        {
            return null;
        }
    }

    private static Regex Build(string pattern) =>
        new(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, Limits.SearchTime);

    private static string ToDotNet(string pattern)
    {
        var end = LineMode().IsMatch(pattern) ? "$" : "\\z";
        var written = new StringBuilder(pattern.Length);
        var inClass = false;
        for (var i = 0; i < pattern.Length; i++)
        {
            var rest = pattern.AsSpan(i);
            switch (rest)
            {
                case ['\\', var letter, ..]:
                    written.Append(Escape(letter, inClass));
                    i++;
                    break;
                case ['[', '^', ']', ..] when !inClass:
                    // a bracket that comes first is a member of its class
                    written.Append("[^\\]");
                    (inClass, i) = (true, i + 2);
                    break;
                case ['[', ']', ..] when !inClass:
                    written.Append("[\\]");
                    (inClass, i) = (true, i + 1);
                    break;
                case ['(', '?', 'P', '<', ..] when !inClass:
                    written.Append("(?<");
                    i += 3;
                    break;
                case ['$', ..] when !inClass:
                    written.Append(end);
                    break;
                default:
                    inClass = rest[0] == '[' || (inClass && rest[0] != ']');
                    written.Append(rest[0]);
                    break;
            }
        }

        return written.ToString();
    }

    [GeneratedRegex(@"\(\?[a-z]*m")]
    private static partial Regex LineMode();

    private static string Escape(char letter, bool inClass) =>
        letter switch
        {
            'd' => inClass ? "0-9" : "[0-9]",
            'w' => inClass ? "0-9A-Za-z_" : "[0-9A-Za-z_]",
            's' => inClass ? "\\t\\n\\f\\r\\x20" : "[\\t\\n\\f\\r\\x20]",
            'D' when !inClass => "[^0-9]",
            'W' when !inClass => "[^0-9A-Za-z_]",
            'S' when !inClass => "[^\\t\\n\\f\\r\\x20]",
            _ => $"\\{letter}",
        };
}
