using System.Threading.Channels;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs.Tail;

/// <summary>Where somebody begins to watch.</summary>
/// <param name="From">What ended behind it is told.</param>
/// <param name="OpenedAt">What began since is told.</param>
/// <param name="Settled">What ended before this place is told now, and what ended behind it by the rounds.</param>
/// <param name="HasGap">Who comes again cannot be told all that happened meanwhile.</param>
internal sealed record TailStart(TailPlace From, DateTime OpenedAt, TailPlace Settled, bool HasGap);

/// <summary>One who watches: what is to be told waits here. The rounds write, one at a time; whoever watches reads.</summary>
internal sealed class TailViewer(TailFilter filter, TailStart start, TailPlace barrier, TimeProvider clock)
{
    private const int MaxWaiting = 4_096;

    private readonly Channel<TailEvent?> _waiting = Channel.CreateBounded<TailEvent?>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true }
    );

    // what found no room, since there was room last
    private int _missed;
    private bool _missedMore;
    private long _toldAt = clock.GetTimestamp();

    /// <summary>What ended up to here is read for this one alone; what ended behind it comes with the rounds.</summary>
    public TailPlace Barrier { get; } = barrier;

    /// <summary>A round has told it what had begun.</summary>
    public bool HasJoined { get; set; }

    public ChannelReader<TailEvent?> Waiting => _waiting.Reader;

    public void TellStart(TailEvent told, bool isNew)
    {
        if (isNew || (!HasJoined && told.Job!.StartedAt >= start.OpenedAt))
        {
            Tell(told);
        }
    }

    public void TellEnd(TailEvent told, TailPlace place)
    {
        // another process may have told it more than this one knows yet
        if (place.IsBehind(start.From))
        {
            Tell(told);
        }
    }

    /// <summary>The rounds have passed over what they could not count.</summary>
    public void Miss() => _missedMore = true;

    /// <summary>To be called after each round: says what was missed, and that nothing has happened for long.</summary>
    public void Breathe(TailPlace place)
    {
        if (_missed > 0 || _missedMore)
        {
            SayMissed(place);
        }
        else if (clock.GetElapsedTime(_toldAt) >= EventStream.Silence)
        {
            Write(null);
        }
    }

    public void End() => _waiting.Writer.TryComplete();

    private void Tell(TailEvent told)
    {
        if (filter.Fits(told.Job!) && (_missed > 0 || !Write(told)))
        {
            _missed++; // in the order they came: none is told before those that are missing are
        }
    }

    private void SayMissed(TailPlace place)
    {
        if (Write(TailEvent.Missed(place, _missedMore ? null : _missed)))
        {
            (_missed, _missedMore) = (0, false);
        }
    }

    private bool Write(TailEvent? told)
    {
        _toldAt = clock.GetTimestamp();
        return _waiting.Writer.TryWrite(told);
    }
}
