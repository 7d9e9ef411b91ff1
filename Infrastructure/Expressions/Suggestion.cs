namespace Bellhop.Infrastructure.Expressions;

/// <summary>The end of a message about a name that is not known: the one that was probably meant, or all there are.</summary>
internal static class Suggestion
{
    private const int Listed = 12;

    public static string For(string wrong, IEnumerable<string> known)
    {
        var names = known.Order(StringComparer.Ordinal).ToArray();
        var nearest = names
            .Select(name => (Name: name, Distance: Distance(wrong, name)))
            .Where(candidate => candidate.Distance <= Math.Max(1, wrong.Length / 3))
            .OrderBy(candidate => candidate.Distance)
            .Select(candidate => candidate.Name)
            .FirstOrDefault();
        return nearest is not null ? $"; did you mean '{nearest}'?"
            : names.Length == 0 ? "; none is known here."
            : $"; known: {string.Join(", ", names.Take(Listed))}{(names.Length > Listed ? ", …" : "")}.";
    }

    /// <summary>Levenshtein's distance, blind to case; names that are far longer than any of ours are far away.</summary>
    private static int Distance(string left, string right)
    {
        if (Math.Abs(left.Length - right.Length) > 3)
        {
            return int.MaxValue;
        }

        var row = Enumerable.Range(0, right.Length + 1).ToArray();
        for (var i = 1; i <= left.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var same = char.ToLowerInvariant(left[i - 1]) == char.ToLowerInvariant(right[j - 1]);
                var substituted = diagonal + (same ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substituted, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[^1];
    }
}
