namespace Bellhop.Features.Jobs.Running;

/// <summary>How far each queue has been taken, by priority: a scan that starts there need not step over what was taken before.</summary>
/// <remarks>
/// Rows that are gone stay in the index as long as any transaction might still see them. Started at the front, each claim would read
/// them all again while somebody holds a snapshot open.
/// </remarks>
internal sealed class ClaimCursors
{
    // the claim loop alone reads and writes it
    private readonly Dictionary<(long QueueId, short Priority), (DateTime RunAt, long Seq)> _last = [];

    public IReadOnlyCollection<KeyValuePair<(long QueueId, short Priority), (DateTime RunAt, long Seq)>> All => _last;

    public void Passed(long queueId, short priority, DateTime runAt, long seq)
    {
        if (!_last.TryGetValue((queueId, priority), out var last) || last.CompareTo((runAt, seq)) < 0)
        {
            _last[(queueId, priority)] = (runAt, seq);
        }
    }

    public void StartOver() => _last.Clear();
}
