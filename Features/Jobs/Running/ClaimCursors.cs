using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Running;

/// <summary>How far each queue has been taken, by priority: a scan that starts there need not step over what was taken before.</summary>
/// <remarks>
/// Rows that are gone stay in the index as long as any transaction might still see them. Started at the front, each claim would read
/// them all again while somebody holds a snapshot open.
/// </remarks>
internal sealed class ClaimCursors
{
    // one claim at a time reads and writes it
    private readonly Dictionary<(long QueueId, short Priority), (DateTime RunAt, long Seq)> _last = [];

    public void Passed(long queueId, short priority, DateTime runAt, long seq)
    {
        if (!_last.TryGetValue((queueId, priority), out var last) || last.CompareTo((runAt, seq)) < 0)
        {
            _last[(queueId, priority)] = (runAt, seq);
        }
    }

    public void StartOver() => _last.Clear();

    /// <summary>Adds what statements of <see cref="ClaimStatements"/> need to know of it.</summary>
    public void AddTo(NpgsqlParameterCollection parameters)
    {
        parameters.Add(Of("PassedQueues", NpgsqlDbType.Bigint, _last.Keys.Select(key => key.QueueId).ToArray()));
        parameters.Add(Of("PassedPriorities", NpgsqlDbType.Smallint, _last.Keys.Select(key => key.Priority).ToArray()));
        parameters.Add(Of("PassedRunAts", NpgsqlDbType.TimestampTz, _last.Values.Select(last => last.RunAt).ToArray()));
        parameters.Add(Of("PassedSeqs", NpgsqlDbType.Bigint, _last.Values.Select(last => last.Seq).ToArray()));
    }

    private static NpgsqlParameter Of(string name, NpgsqlDbType type, object values) =>
        new(name, NpgsqlDbType.Array | type) { Value = values };
}
