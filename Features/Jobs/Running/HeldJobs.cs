using System.Collections.Concurrent;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Everything this process holds a lease of, from the claim until its end is stored.</summary>
internal sealed class HeldJobs
{
    // the runner adds, the runner and the finisher remove, the heartbeat reads
    private readonly ConcurrentDictionary<HeldJob, byte> _held = new();

    // those of them that were lost before: seldom any
    private readonly ConcurrentDictionary<HeldJob, byte> _lost = new();

    // raised by whoever removes
    private long _ended;

    /// <summary>How many it holds no more, however that came.</summary>
    public long Ended => Interlocked.Read(ref _ended);

    public IEnumerable<HeldJob> All => _held.Select(pair => pair.Key);

    /// <summary>Those that were in the hands of a process that went silent.</summary>
    public IEnumerable<HeldJob> Lost => _lost.Select(pair => pair.Key);

    public void Add(HeldJob job)
    {
        _held.TryAdd(job, default);
        if (job.Job.Lost > 0)
        {
            _lost.TryAdd(job, default);
        }
    }

    public void Remove(HeldJob job)
    {
        if (_held.TryRemove(job, out _))
        {
            _lost.TryRemove(job, out _);
            Interlocked.Increment(ref _ended);
            job.Dispose();
        }
    }
}
