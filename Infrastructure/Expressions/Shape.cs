using System.Diagnostics.CodeAnalysis;

namespace Bellhop.Infrastructure.Expressions;

/// <summary>What is known of a value before there is one: its possible kinds and, of a map, its members.</summary>
public sealed class Shape
{
    private readonly Dictionary<string, Shape>? _members;
    private readonly bool _open;

    private Shape(Kinds kinds, Dictionary<string, Shape>? members = null, bool open = true, bool named = false) =>
        (Kinds, _members, _open, IsNamed) = (kinds, members, open, named);

    /// <summary>Nothing is known; what does not fit is found when it is evaluated.</summary>
    public static Shape Free { get; } = new(Kinds.Any);

    /// <summary>A string.</summary>
    public static Shape Text { get; } = new(Kinds.String);

    /// <summary>A map with these members and no other; any other name is refused at compile time.</summary>
    public static Shape Closed(params ReadOnlySpan<(string Name, Shape Shape)> members) =>
        new(Kinds.Map, ByName(members), open: false);

    /// <summary>A map of which some members are known; others may be there.</summary>
    public static Shape Open(params ReadOnlySpan<(string Name, Shape Shape)> members) =>
        new(Kinds.Map, ByName(members));

    /// <summary>
    /// A map of texts that is used by the names of its members alone, so that which of them an expression sees is known when it is
    /// compiled (<see cref="Template.Named"/>). The map as a whole, and a member by a computed name, are refused.
    /// </summary>
    /// <param name="members">The members there are; null: any.</param>
    public static Shape Named(IEnumerable<string>? members) =>
        new(Kinds.Map, members?.ToDictionary(name => name, _ => Text), open: members is null, named: true);

    internal Kinds Kinds { get; }

    internal bool IsNamed { get; }

    internal IEnumerable<string> Members => _members?.Keys ?? Enumerable.Empty<string>();

    internal static Shape Of(Kinds kinds) => kinds == Kinds.Any ? Free : new Shape(kinds);

    internal bool TryGetMember(string name, [NotNullWhen(true)] out Shape? shape)
    {
        if (_members is not null && _members.TryGetValue(name, out shape))
        {
            return true;
        }

        shape =
            !_open ? null
            : IsNamed ? Text
            : Free;
        return _open;
    }

    private static Dictionary<string, Shape> ByName(ReadOnlySpan<(string Name, Shape Shape)> members)
    {
        var byName = new Dictionary<string, Shape>(members.Length);
        foreach (var (name, shape) in members)
        {
            byName.Add(name, shape);
        }

        return byName;
    }
}
