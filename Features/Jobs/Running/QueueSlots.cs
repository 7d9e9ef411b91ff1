using System.Diagnostics.CodeAnalysis;

namespace Bellhop.Features.Jobs.Running;

/// <summary>How many jobs of one queue, named alike in all projects, execute at once in this process.</summary>
/// <remarks>
/// A queue of short jobs is claimed ahead of its slots, by as many as end in a fiftieth of a second and at most 500: otherwise a
/// claim could bring no more than one slot's worth. Long jobs end seldom, so nothing lies around claimed beside them.
/// </remarks>
internal sealed class QueueSlots(int size, TimeProvider clock)
{
    private const double Ahead = 0.02; // seconds
    private const int MaxAhead = 500;
    private const int MaxHeld = 2_000; // bounds what waits to be finished while the database is slow

    private readonly Lock _lock = new();

    // all below under the lock: the claim loop and the loops that execute touch them
    private readonly Queue<HeldJob> _ahead = new();
    private int _executing;
    private int _finishing;
    private int _endedSinceClaim;
    private long _claimedAt;
    private int _target;
    private bool _hasMore;

    /// <summary>How many jobs to claim now.</summary>
    public int Wanted
    {
        get
        {
            lock (_lock)
            {
                var wanted = size - _executing + _target - _ahead.Count;
                return Math.Max(0, Math.Min(wanted, MaxHeld - _executing - _finishing - _ahead.Count));
            }
        }
    }

    /// <summary>Begins a claim: from here on it is counted what ends.</summary>
    public void BeginClaim()
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            var seconds = Math.Max(clock.GetElapsedTime(_claimedAt, now).TotalSeconds, 0.001);
            _target = (int)Math.Min(_endedSinceClaim * Ahead / seconds, MaxAhead);
            (_endedSinceClaim, _claimedAt) = (0, now);
        }
    }

    /// <summary>Takes in what a claim brought; answers what may execute at once.</summary>
    /// <param name="hasMore">Whether the claim found all it asked for.</param>
    public IReadOnlyList<HeldJob> Add(IReadOnlyList<HeldJob> jobs, bool hasMore)
    {
        lock (_lock)
        {
            _hasMore = hasMore;
            foreach (var job in jobs)
            {
                _ahead.Enqueue(job);
            }

            var now = new List<HeldJob>();
            while (_executing < size && _ahead.TryDequeue(out var job))
            {
                _executing++;
                now.Add(job);
            }

            return now;
        }
    }

    /// <summary>Takes a slot, unless jobs that were claimed wait for one.</summary>
    public bool TryReserve()
    {
        lock (_lock)
        {
            if (_executing >= size || _ahead.Count > 0 || _executing + _finishing >= MaxHeld)
            {
                return false;
            }

            _executing++;
            return true;
        }
    }

    /// <summary>Nothing executes in a slot that was reserved. False: what was claimed meanwhile takes it.</summary>
    public bool Free([NotNullWhen(false)] out HeldJob? next)
    {
        lock (_lock)
        {
            if (_ahead.TryDequeue(out next))
            {
                return false;
            }

            _executing--;
            return true;
        }
    }

    /// <summary>An execution ended: answers what takes its slot, if anything, and whether to claim again.</summary>
    /// <param name="isFinishing">Whether the end is still to be stored; <see cref="Finished"/> tells when it is.</param>
    public (HeldJob? Next, bool ClaimAgain) End(bool isFinishing)
    {
        lock (_lock)
        {
            _endedSinceClaim++;
            _finishing += isFinishing ? 1 : 0;
            if (!_ahead.TryDequeue(out var next))
            {
                _executing--;
            }

            return (next, _hasMore && _ahead.Count <= _target / 2);
        }
    }

    public void Finished()
    {
        lock (_lock)
        {
            _finishing--;
        }
    }

    /// <summary>What was claimed ahead longer than this ago and would still wait.</summary>
    public IReadOnlyList<HeldJob> TakeAhead(Func<HeldJob, bool> condition)
    {
        lock (_lock)
        {
            var taken = _ahead.Where(condition).ToArray();
            if (taken.Length > 0)
            {
                var kept = _ahead.Except(taken).ToArray();
                _ahead.Clear();
                Array.ForEach(kept, _ahead.Enqueue);
            }

            return taken;
        }
    }
}
