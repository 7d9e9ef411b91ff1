namespace Bellhop.Features.Jobs.Running;

/// <summary>Lanes with room whose next job is not due yet, and when to look at them: the soonest hundred thousand, in memory alone.</summary>
/// <remarks>Written by whoever looks at lanes, from any thread; taken by the loop of <see cref="Admission"/>, which is woken.</remarks>
internal sealed class ComingLanes : IDisposable
{
    private const int MaxLanes = 100_000;

    private readonly TimeProvider _clock;
    private readonly int _maxLanes;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();

    // under the lock: each lane once in both
    private readonly Dictionary<Lane, long> _times = [];
    private readonly SortedSet<(long At, Lane Lane)> _soonest = new(new ByTime());

    public ComingLanes(TimeProvider clock, Action wake, int maxLanes = MaxLanes)
    {
        (_clock, _maxLanes) = (clock, maxLanes);
        _timer = clock.CreateTimer(_ => wake(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A lane that is known is looked at when it was to be, if that is sooner. With too many, the latest is left to the duty.</summary>
    public void Keep(Lane lane, TimeSpan delay)
    {
        var at = _clock.GetTimestamp() + (long)(delay.TotalSeconds * _clock.TimestampFrequency);
        lock (_lock)
        {
            if (_times.TryGetValue(lane, out var known))
            {
                if (known <= at)
                {
                    return;
                }

                _soonest.Remove((known, lane));
            }

            _times[lane] = at;
            _soonest.Add((at, lane));
            if (_soonest.Count > _maxLanes)
            {
                _times.Remove(_soonest.Max.Lane);
                _soonest.Remove(_soonest.Max);
            }

            if (_soonest.Min == (at, lane))
            {
                Set();
            }
        }
    }

    /// <summary>Those that are to be looked at now; they are no longer kept.</summary>
    public IReadOnlyList<Lane> TakeDue()
    {
        var due = new List<Lane>();
        lock (_lock)
        {
            var now = _clock.GetTimestamp();
            while (_soonest.Count > 0 && _soonest.Min is var (at, lane) && at <= now)
            {
                due.Add(lane);
                _times.Remove(lane);
                _soonest.Remove((at, lane));
            }

            if (_soonest.Count > 0)
            {
                Set();
            }
        }

        return due;
    }

    // a timer counts in milliseconds: rounded up, so that it does not come too early
    private void Set()
    {
        var left = _clock.GetElapsedTime(_clock.GetTimestamp(), _soonest.Min.At);
        _timer.Change(
            TimeSpan.FromMilliseconds(Math.Max(0, Math.Ceiling(left.TotalMilliseconds))),
            Timeout.InfiniteTimeSpan
        );
    }

    public void Dispose() => _timer.Dispose();

    private sealed class ByTime : IComparer<(long At, Lane Lane)>
    {
        public int Compare((long At, Lane Lane) x, (long At, Lane Lane) y) =>
            x.At != y.At ? x.At.CompareTo(y.At)
            : x.Lane.QueueId != y.Lane.QueueId ? x.Lane.QueueId.CompareTo(y.Lane.QueueId)
            : string.CompareOrdinal(x.Lane.Name, y.Lane.Name);
    }
}
