using System.Collections.Frozen;

namespace Bellhop.Features.Events;

/// <summary>Which types of events are meant: one type exactly, <c>a.b.*</c> for what stands below <c>a.b</c>, or <c>*</c> for all.</summary>
/// <remarks><c>a.b.*</c> means one or more further segments: <c>a.b.c</c> and <c>a.b.c.d</c>, not <c>a.b</c> itself.</remarks>
public sealed record EventTypePattern
{
    public const int MaxLength = 255;

    /// <summary>What <see cref="IsType"/> demands, for messages.</summary>
    public const string TypeForm = "words with dots between, such as ticket.created, without *";

    private const string Any = "*";
    private const string Below = ".*";

    private EventTypePattern(string text) => Text = text;

    /// <summary>As it was written.</summary>
    public string Text { get; }

    public bool IsAny => Text == Any;

    /// <summary>The type that is meant, where it is one; null for a pattern of many.</summary>
    public string? Exact => IsAny || Prefix is not null ? null : Text;

    /// <summary>What the types that are meant begin with, its last dot included; null where it is not that kind.</summary>
    public string? Prefix => Text.EndsWith(Below, StringComparison.Ordinal) ? Text[..^1] : null;

    /// <summary>The pattern, or null: empty, too long, a <c>*</c> elsewhere than as the whole last segment, or white space and controls.</summary>
    public static EventTypePattern? Parse(string? text)
    {
        if (text is null or "" || text.Length > MaxLength)
        {
            return null;
        }

        if (text == Any)
        {
            return new EventTypePattern(text);
        }

        var name = text.EndsWith(Below, StringComparison.Ordinal) ? text[..^Below.Length] : text;
        return
            name.Length > 0
            && !name.Any(character => character == '*' || char.IsWhiteSpace(character) || char.IsControl(character))
            ? new EventTypePattern(text)
            : null;
    }

    /// <summary>Whether an event may have the type: a pattern is none, nor is what has nothing between two dots.</summary>
    public static bool IsType(string text) =>
        !text.Contains('*', StringComparison.Ordinal)
        && text is not (['.', ..] or [.., '.'])
        && !text.Contains("..", StringComparison.Ordinal);

    public bool Matches(string type) =>
        IsAny
        || (
            Prefix is { } prefix
                ? type.Length > prefix.Length && type.StartsWith(prefix, StringComparison.Ordinal)
                : type == Text
        );

    public override string ToString() => Text;
}

/// <summary>Finds whom a type concerns, among many who each named patterns, without trying every pattern.</summary>
/// <remarks>One look-up for the whole type and one for each of its dots. Whom two patterns concern is answered once.</remarks>
public sealed class EventTypeIndex<T>
{
    private readonly T[] _targets;
    private readonly FrozenDictionary<string, int[]> _exact;
    private readonly FrozenDictionary<string, int[]> _prefixes;
    private readonly int[] _any;

    public EventTypeIndex(IEnumerable<(T Target, IReadOnlyCollection<EventTypePattern> Patterns)> targets)
    {
        var all = targets.ToArray();
        _targets = [.. all.Select(one => one.Target)];
        var pairs = all.SelectMany((one, index) => one.Patterns.Select(pattern => (Pattern: pattern, Index: index)))
            .ToArray();
        _exact = ToDictionary(pairs, pattern => pattern.Exact);
        _prefixes = ToDictionary(pairs, pattern => pattern.Prefix);
        _any = [.. pairs.Where(pair => pair.Pattern.IsAny).Select(pair => pair.Index).Distinct()];
    }

    /// <summary>Those whom an event of this type concerns, in the order they were given in.</summary>
    public IReadOnlyList<T> Find(string type)
    {
        var exact = _exact.GetValueOrDefault(type, []);
        if (_prefixes.Count == 0 && (exact.Length == 0 || _any.Length == 0))
        {
            return Array.ConvertAll(exact.Length == 0 ? _any : exact, index => _targets[index]);
        }

        var found = new SortedSet<int>(exact);
        found.UnionWith(_any);
        for (var dot = type.IndexOf('.'); dot >= 0 && dot < type.Length - 1; dot = type.IndexOf('.', dot + 1))
        {
            found.UnionWith(_prefixes.GetValueOrDefault(type[..(dot + 1)], []));
        }

        return [.. found.Select(index => _targets[index])];
    }

    private static FrozenDictionary<string, int[]> ToDictionary(
        IEnumerable<(EventTypePattern Pattern, int Index)> pairs,
        Func<EventTypePattern, string?> key
    ) =>
        pairs
            .Select(pair => (Key: key(pair.Pattern), pair.Index))
            .Where(pair => pair.Key is not null)
            .GroupBy(pair => pair.Key!, pair => pair.Index, StringComparer.Ordinal)
            .ToFrozenDictionary(
                group => group.Key,
                group => group.Distinct().Order().ToArray(),
                StringComparer.Ordinal
            );
}
