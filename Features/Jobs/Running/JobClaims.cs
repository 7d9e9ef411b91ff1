using System.Collections.Concurrent;
using Bellhop.Features.Jobs.Queues;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Running;

/// <summary>What a claim brought.</summary>
/// <param name="IsContended">Others took some of what it saw, or there is more than it looked at: claim again at once.</param>
/// <param name="Patience">Something is to be looked at again after that long, signal or not; null: whenever there is a signal.</param>
/// <param name="Fault">What kept it from looking any further.</param>
internal sealed record Claim(
    IReadOnlyList<HeldJob> Jobs,
    bool IsContended,
    TimeSpan? Patience,
    Exception? Fault = null
);

/// <summary>Takes due jobs off the service's queues: one statement for all queues without a limit, one for each that has one.</summary>
/// <remarks>
/// The runner's loop alone calls it. It looks at everything as often as costs a twentieth of its time, and in between only onward from
/// where it was, at the queues that had work: what somebody put before that place is found at the next whole look.
/// </remarks>
internal sealed class JobClaims(
    Databases databases,
    JobKinds kinds,
    HeldJobs held,
    QueueSignals signals,
    QueueMinutes minutes,
    TimeProvider clock
)
{
    private static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Busy = TimeSpan.FromMilliseconds(10); // another process counts the same queue
    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(50); // what is ready there is not due
    private static readonly TimeSpan Full = TimeSpan.FromMilliseconds(250); // unless a job of the queue ends here

    /// <summary>Stands with every claim this process makes; a restart has another one.</summary>
    public Guid WorkerId { get; } = Guid.CreateVersion7(clock.GetUtcNow());

    private readonly string[] _carriers = kinds.Carriers;

    // the loop alone touches what follows
    private readonly FairShares _shares = new();
    private readonly ClaimCursors _cursors = new();
    private readonly Dictionary<long, long> _resting = []; // limited queues that had no room, and until when they are let be
    private IReadOnlyList<ReadyQueue> _ready = [];
    private readonly HashSet<QueueRef> _named = []; // since the last whole look
    private bool _isUnnamed; // some signal since the last whole look did not say which queue
    private readonly Rest _restByCost = new(times: 20, shortest: TimeSpan.Zero, LongestRest);
    private readonly Rest _restByCostUnnamed = new(times: 4, shortest: TimeSpan.FromMilliseconds(250), LongestRest);
    private long _lookedAt;
    private TimeSpan _rest;
    private TimeSpan _restUnnamed; // after a signal that does not say which queue

    // limited queues of which a job ended: added by whoever stored the end, taken by the loop
    private readonly ConcurrentDictionary<long, byte> _freed = new();

    /// <summary>To be called when the end of a job is stored, from any thread: a limit of its queue may leave room now.</summary>
    public void Freed(long queueId) => _freed.TryAdd(queueId, default);

    /// <summary>Claims up to so many jobs a queue name: those of higher priority first, then those longer due; of projects, by weight.</summary>
    /// <param name="free">Per queue name; other names are given <paramref name="otherFree"/>.</param>
    /// <remarks>It takes no token: the answer of a claim that was given up may be jobs.</remarks>
    public async Task<Claim> TakeAsync(IReadOnlyList<KeyValuePair<string, int>> free, int otherFree)
    {
        var jobs = new List<HeldJob>();
        try
        {
            return await TakeAsync(free, otherFree, jobs);
        }
        catch (Exception exception) when (jobs.Count > 0)
        {
            return new Claim(jobs, false, null, exception); // what earlier statements claimed is held all the same
        }
    }

    private async Task<Claim> TakeAsync(
        IReadOnlyList<KeyValuePair<string, int>> free,
        int otherFree,
        List<HeldJob> jobs
    )
    {
        var left = free.ToDictionary(StringComparer.Ordinal);
        var (isContended, patience) = (false, (TimeSpan?)null);
        await using var connection = await databases.Engine.OpenConnectionAsync();
        foreach (var queue in DueLimited())
        {
            var wanted = Math.Min(left.GetValueOrDefault(queue.Name, otherFree), ShareOf(queue, free, otherFree));
            if (wanted == 0)
            {
                continue;
            }

            var taken = await TakeLimitedAsync(connection, queue, wanted, jobs);
            jobs.AddRange(taken.Jobs);
            left[queue.Name] = left.GetValueOrDefault(queue.Name, otherFree) - taken.Jobs.Count;
            isContended |= taken.IsContended;
            patience = Sooner(patience, taken.Patience);
        }

        var (named, isUnnamed) = signals.Take();
        _named.UnionWith(named);
        _isUnnamed |= isUnnamed;
        var rest = _isUnnamed && _rest > _restUnnamed ? _restUnnamed : _rest;
        var rested = clock.GetElapsedTime(_lookedAt);
        var isWhole = rested >= rest;
        var open = await TakeOpenAsync(connection, isWhole, [.. left], otherFree, jobs);
        jobs.AddRange(open.Jobs);
        patience = Sooner(patience, isWhole ? null : rest - rested);
        return new Claim(jobs, (isContended || open.IsContended) && jobs.Count > 0, patience);
    }

    private static TimeSpan? Sooner(TimeSpan? one, TimeSpan? other) =>
        one is null ? other
        : other is null || one < other ? one
        : other;

    private ReadyQueue[] DueLimited()
    {
        foreach (var queueId in _freed.Keys)
        {
            _freed.TryRemove(queueId, out _);
            _resting.Remove(queueId);
        }

        var now = clock.GetTimestamp();
        var limited = _ready.Where(queue => queue.IsLimited && _resting.GetValueOrDefault(queue.Id) <= now).ToArray();
        Random.Shared.Shuffle(limited); // none is always last
        return limited;
    }

    /// <summary>What the queue may have of the slots that queues of its name share.</summary>
    private int ShareOf(ReadyQueue queue, IReadOnlyList<KeyValuePair<string, int>> free, int otherFree)
    {
        var slots = free.FirstOrDefault(pair => pair.Key == queue.Name, new(queue.Name, otherFree)).Value;
        var weights = _ready.Where(other => other.Name == queue.Name).Sum(other => other.Weight);
        return (int)Math.Ceiling((double)slots * queue.Weight / weights);
    }

    private async Task<Claim> TakeLimitedAsync(
        NpgsqlConnection connection,
        ReadyQueue queue,
        int wanted,
        IReadOnlyList<HeldJob> before
    )
    {
        var asked = clock.GetTimestamp();
        var claim = new NpgsqlBatchCommand(ClaimStatements.Sql.Limited)
        {
            Parameters =
            {
                new("ProjectId", queue.ProjectId),
                new("QueueId", queue.Id),
                new("Free", wanted),
                new("Starts", _shares.StartsOf(queue.Id)),
            },
        };
        AddCommon(claim.Parameters, before);
        new ClaimCursors().AddTo(claim.Parameters);
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new(ClaimStatements.Sql.Lock)
                {
                    Parameters = { new("ProjectId", queue.ProjectId), new("QueueId", queue.Id) },
                },
                claim,
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(CancellationToken.None);
        await reader.NextResultAsync();
        var answer = await ClaimAnswer.ReadAsync(reader, isLimited: true, asked, clock);
        Note(answer);
        var room = answer.Seen;
        if (room < 0)
        {
            return LetBe(queue, Busy); // another process has it, or it is paused or gone
        }

        if (room > 0 && answer.Jobs.Count == 0)
        {
            return LetBe(queue, Idle);
        }

        if (room > 0)
        {
            // it had room for all that was wanted: there may be more; it had less: the rest waits for an end or for time
            return new Claim(answer.Jobs, answer.Jobs.Count == wanted, room < wanted ? Wait(answer) : null);
        }

        return LetBe(queue, Wait(answer));
    }

    // without a rate, or where less was ready than it allows, what comes is found by signals
    private static TimeSpan Wait(ClaimAnswer answer) =>
        answer.Patience is { } wait && wait > TimeSpan.Zero && wait < Full ? wait : Full;

    private Claim LetBe(ReadyQueue queue, TimeSpan rest)
    {
        _resting[queue.Id] = clock.GetTimestamp() + (long)(rest.TotalSeconds * clock.TimestampFrequency);
        return new Claim([], false, rest);
    }

    private async Task<Claim> TakeOpenAsync(
        NpgsqlConnection connection,
        bool isWhole,
        KeyValuePair<string, int>[] free,
        int otherFree,
        IReadOnlyList<HeldJob> before
    )
    {
        if (!isWhole && _ready.Count + _named.Count == 0)
        {
            return new Claim([], false, null);
        }

        var asked = clock.GetTimestamp();
        await using var command = new NpgsqlCommand(
            isWhole ? ClaimStatements.Sql.Whole : ClaimStatements.Sql.Onward,
            connection
        );
        var parameters = command.Parameters;
        parameters.Add(Of("Queues", NpgsqlDbType.Text, free.Select(pair => pair.Key).ToArray()));
        parameters.Add(Of("Free", NpgsqlDbType.Integer, free.Select(pair => pair.Value).ToArray()));
        parameters.Add(Of("Floors", NpgsqlDbType.Double, free.Select(pair => _shares.FloorOf(pair.Key)).ToArray()));
        parameters.Add(new("OtherFree", otherFree));
        parameters.Add(Of("ShareQueues", NpgsqlDbType.Bigint, _shares.Known.Select(share => share.Key).ToArray()));
        parameters.Add(Of("ShareTags", NpgsqlDbType.Double, _shares.Known.Select(share => share.Value.Tag).ToArray()));
        parameters.Add(
            Of("ShareStarts", NpgsqlDbType.Bigint, _shares.Known.Select(share => share.Value.Starts).ToArray())
        );
        AddCommon(parameters, before);
        if (isWhole)
        {
            _cursors.StartOver();
        }
        else
        {
            var ready = _ready.Select(queue => new QueueRef(queue.ProjectId, queue.Id)).Union(_named).ToArray();
            parameters.Add(Of("ReadyProjects", NpgsqlDbType.Uuid, ready.Select(queue => queue.ProjectId).ToArray()));
            parameters.Add(Of("ReadyQueues", NpgsqlDbType.Bigint, ready.Select(queue => queue.QueueId).ToArray()));
        }

        _cursors.AddTo(parameters);
        ClaimAnswer answer;
        await using (var reader = await command.ExecuteReaderAsync(CancellationToken.None))
        {
            answer = await ClaimAnswer.ReadAsync(reader, isLimited: false, asked, clock);
        }

        Note(answer);
        var known = _ready.Select(queue => queue.Id).ToHashSet();
        _ready = answer.Ready;
        signals.Serve(_ready.Select(queue => queue.Id));
        if (isWhole)
        {
            _shares.KeepOnly(_ready.Select(queue => queue.Id).ToHashSet());
            _named.Clear();
            _isUnnamed = false;
            _lookedAt = clock.GetTimestamp();
            var cost = clock.GetElapsedTime(asked);
            _rest = _restByCost.After(cost);
            _restUnnamed = _restByCostUnnamed.After(cost);
        }

        var isNew = _ready.Any(queue => queue.IsLimited && !known.Contains(queue.Id));
        return new Claim(answer.Jobs, answer.Jobs.Count < answer.Seen || isNew, isNew ? TimeSpan.Zero : null);
    }

    private void Note(ClaimAnswer answer)
    {
        foreach (var row in answer.Rows)
        {
            minutes.CountStarted(row.Job, row.WaitedSeconds);
            _shares.Took(row.Job.QueueId, row.Job.Queue, row.Weight);
            _cursors.Passed(row.Job.QueueId, row.Priority, row.RunAt, row.Seq);
        }
    }

    private void AddCommon(NpgsqlParameterCollection parameters, IReadOnlyList<HeldJob> before)
    {
        parameters.Add(new("WorkerId", WorkerId));
        parameters.Add(new("ClaimKey", NpgsqlDbType.Uuid) { Value = DBNull.Value });
        parameters.Add(Of("Carriers", NpgsqlDbType.Text, _carriers));
        parameters.Add(new("LostBelow", LostBelow(before)));
    }

    /// <param name="before">Claimed a moment ago, and not yet among what is held.</param>
    private int LostBelow(IReadOnlyList<HeldJob> before) =>
        Trial.LostBelow(held.Lost.Concat(before).Max(job => _carriers.Contains(job.Job.Kind) ? 0 : (int?)job.Job.Lost));

    private static NpgsqlParameter Of(string name, NpgsqlDbType type, object values) =>
        new(name, NpgsqlDbType.Array | type) { Value = values };
}
