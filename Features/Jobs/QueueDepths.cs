using System.Collections.Frozen;

namespace Bellhop.Features.Jobs;

/// <summary>Which queues hold as many unfinished jobs as they may, as of the last look, a second ago or so.</summary>
/// <remarks>
/// A depth is there to push back, not to be exact: it may be passed by what was enqueued since the look, and a queue that has room
/// again is known to within a second. No enqueue counts anything.
/// </remarks>
public sealed class QueueDepths
{
    // swapped by the one who looks, read by whoever enqueues
    private volatile FrozenSet<(Guid ProjectId, string Queue)> _full = FrozenSet<(Guid, string)>.Empty;

    public bool HasRoom(Guid projectId, string queue) => !_full.Contains((projectId, queue));

    internal void Become(IEnumerable<(Guid ProjectId, string Queue)> full) => _full = full.ToFrozenSet();
}
