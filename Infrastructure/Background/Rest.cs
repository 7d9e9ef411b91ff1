namespace Bellhop.Infrastructure.Background;

/// <summary>How long whoever looks again and again rests after a look, so that looks take no more than their share of the time.</summary>
/// <remarks>
/// What a look costs is not for it to choose: while a transaction is held open anywhere, it passes over all that was changed since.
/// </remarks>
internal static class Rest
{
    /// <param name="cost">What the look took.</param>
    /// <param name="times">So many times as long as that.</param>
    public static TimeSpan After(TimeSpan cost, int times, TimeSpan shortest, TimeSpan longest)
    {
        var rest = cost * times;
        return rest < shortest ? shortest
            : rest > longest ? longest
            : rest;
    }
}
