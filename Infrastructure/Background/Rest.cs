namespace Bellhop.Infrastructure.Background;

/// <summary>How long whoever looks again and again rests after a look, so that looks take no more than their share of the time.</summary>
/// <remarks>
/// What a look costs is not for it to choose: while a transaction is held open anywhere, it passes over all that was changed since. One
/// that takes long by itself is an accident, such as a disk that stalls; the cheaper of the last two counts.
/// </remarks>
/// <param name="times">So many times as long as the look took.</param>
internal sealed class Rest(int times, TimeSpan shortest, TimeSpan longest)
{
    private TimeSpan _last;

    /// <param name="cost">What the look took.</param>
    public TimeSpan After(TimeSpan cost)
    {
        var rest = (cost < _last ? cost : _last) * times;
        _last = cost;
        return rest < shortest ? shortest
            : rest > longest ? longest
            : rest;
    }
}
