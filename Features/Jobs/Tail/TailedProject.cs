namespace Bellhop.Features.Jobs.Tail;

/// <summary>A project that is watched: who does, and how far they have been told. Under the lock of <see cref="JobTail"/>.</summary>
internal sealed class TailedProject(Guid id, TailPlace place)
{
    private static readonly TimeSpan Lately = TimeSpan.FromSeconds(20); // longer than what began is read back

    // claims that were told as begun
    private readonly Dictionary<(Guid Job, long ClaimNo), DateTime> _begun = [];

    public Guid Id { get; } = id;

    /// <summary>Every end up to here has been told.</summary>
    public TailPlace Place { get; private set; } = place;

    public List<TailViewer> Viewers { get; } = [];

    /// <returns>Whether more has ended than was read.</returns>
    public bool Tell(IEnumerable<TailRow> started, IReadOnlyList<TailRow> ended, TailMoment moment)
    {
        foreach (var row in started)
        {
            var told = TailEvent.Of(Place, row.ToJob());
            var isNew = _begun.TryAdd((row.Id, row.ClaimNo), row.StartedAt!.Value);
            Viewers.ForEach(viewer => viewer.TellStart(told, isNew));
        }

        Viewers.ForEach(viewer => viewer.HasJoined = true);
        foreach (var row in ended)
        {
            Place = row.Place;
            var told = TailEvent.Of(Place, row.ToJob());
            Viewers.ForEach(viewer => viewer.TellEnd(told, row.Place));
        }

        var hasMore = ended.Count == TailReads.Block;
        if (!hasMore)
        {
            Pass(moment);
        }

        return hasMore;
    }

    /// <summary>Goes on from what is settled, past whatever there is.</summary>
    public void PassOver(TailMoment moment)
    {
        Viewers.ForEach(viewer => viewer.Miss());
        Pass(moment);
    }

    public void Breathe(TailMoment? moment)
    {
        Viewers.ForEach(viewer => viewer.Breathe(Place));
        foreach (
            var (claim, at) in moment is null ? [] : _begun.Where(one => one.Value < moment.Now - Lately).ToArray()
        )
        {
            _begun.Remove(claim);
        }
    }

    private void Pass(TailMoment moment)
    {
        var settled = TailPlace.Before(moment.SettledAt);
        Place = settled.IsBehind(Place) ? settled : Place;
    }
}
