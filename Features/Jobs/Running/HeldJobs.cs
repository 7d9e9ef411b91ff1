using System.Collections.Concurrent;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Everything this process holds a lease of, from the claim until its end is stored.</summary>
internal sealed class HeldJobs
{
    // the runner adds, the runner and the finisher remove, the heartbeat reads
    private readonly ConcurrentDictionary<HeldJob, byte> _held = new();

    public IEnumerable<HeldJob> All => _held.Select(pair => pair.Key);

    public void Add(HeldJob job) => _held.TryAdd(job, default);

    public void Remove(HeldJob job)
    {
        if (_held.TryRemove(job, out _))
        {
            job.Dispose();
        }
    }
}
