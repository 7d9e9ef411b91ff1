namespace Bellhop.Infrastructure.Expressions;

/// <summary>
/// The names an expression may see. What is compiled in a scope is evaluated with one value for each of its names, in
/// the order they were declared in.
/// </summary>
public sealed class Scope
{
    private readonly Dictionary<string, (int Slot, Shape Shape)> _roots;

    private Scope(Dictionary<string, (int Slot, Shape Shape)> roots) => _roots = roots;

    /// <summary>How many values an evaluation takes.</summary>
    public int Count => _roots.Count;

    internal IEnumerable<string> Names => _roots.Keys;

    /// <summary>Declares names; a name given twice is a bug and throws.</summary>
    public static Scope Of(params ReadOnlySpan<(string Name, Shape Shape)> roots)
    {
        var bySlot = new Dictionary<string, (int Slot, Shape Shape)>(roots.Length);
        foreach (var (name, shape) in roots)
        {
            bySlot.Add(name, (bySlot.Count, shape));
        }

        return new Scope(bySlot);
    }

    /// <summary>This scope with one name more, which comes last.</summary>
    public Scope With(string name, Shape shape)
    {
        var extended = new Dictionary<string, (int Slot, Shape Shape)>(_roots);
        extended.Add(name, (_roots.Count, shape));
        return new Scope(extended);
    }

    internal bool TryFind(string name, out (int Slot, Shape Shape) root) => _roots.TryGetValue(name, out root);
}
