namespace Bellhop.Features.Jobs.Running;

/// <summary>Whose turn it is among the queues of one name, which projects have one each: starts are shared by the queues' weights.</summary>
/// <remarks>
/// Start-time fair queueing: each start moves its queue's tag on by one over its weight, and the lowest tag is next. A queue that had
/// nothing to do begins at the tag that was served last: idle time is no credit. (Goyal, Vin, Cheng: Start-time Fair Queueing, 1996.)
/// </remarks>
internal sealed class FairShares
{
    // the claim loop alone reads and writes both
    private readonly Dictionary<long, Share> _shares = [];
    private readonly Dictionary<string, double> _floors = new(StringComparer.Ordinal);

    /// <summary>The queues that have had starts since they last had nothing to do.</summary>
    public IReadOnlyCollection<KeyValuePair<long, Share>> Known => _shares;

    /// <summary>Where a queue of this name begins.</summary>
    public double FloorOf(string name) => _floors.GetValueOrDefault(name);

    public long StartsOf(long queueId) => _shares.TryGetValue(queueId, out var share) ? share.Starts : 0;

    public void Took(long queueId, string name, short weight)
    {
        var floor = _floors.GetValueOrDefault(name);
        var share = _shares.TryGetValue(queueId, out var known) ? known : new Share(floor, 0);
        _floors[name] = Math.Max(floor, share.Tag);
        _shares[queueId] = new Share(share.Tag + (1.0 / weight), share.Starts + 1);
    }

    /// <summary>Of a queue that had nothing left, no more is remembered.</summary>
    public void KeepOnly(IReadOnlySet<long> busy)
    {
        foreach (var idle in _shares.Keys.Where(queueId => !busy.Contains(queueId)).ToArray())
        {
            _shares.Remove(idle);
        }
    }

    /// <param name="Starts">Counted, since one in sixteen goes to the job that is longest due.</param>
    public readonly record struct Share(double Tag, long Starts);
}
