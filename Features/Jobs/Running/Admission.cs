using System.Threading.Channels;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Lets jobs that wait for their lane or for other jobs become ready, as soon as the one or the others allow it.</summary>
/// <remarks>
/// Jobs with a lane are stored waiting, and so neither enqueueing nor finishing touches a row that many share. After their commit both
/// tell here which lane may have room; a full lane costs nobody else anything, since its jobs are not in the index of what is ready.
/// A job whose lane has room when it falls due is ready within a second of that, and one for which a change of its queue makes room
/// within a second of the change. What a crash, another process or plain SQL leaves untold is found by <see cref="AdmitJobs"/> within
/// five seconds.
/// </remarks>
internal sealed partial class Admission : BackgroundService
{
    private const int MaxLanes = 64;
    private const int MaxFound = 5_000;
    private const int MaxPending = 100_000; // more are left to the duty
    private static readonly TimeSpan Spread = TimeSpan.FromMilliseconds(250); // of the second by which a job is let in early
    private static readonly TimeSpan Backoff = TimeSpan.FromMilliseconds(50);

    private readonly Databases _databases;
    private readonly QueueSignals _signals;
    private readonly TimeProvider _clock;
    private readonly ILogger<Admission> _logger;
    private readonly ComingLanes _coming;
    private readonly Lock _lock = new();

    // under the lock: told by anyone, taken by the loop
    private readonly HashSet<Lane> _lanes = [];
    private readonly Dictionary<QueueRef, Lane> _queues = []; // those whose lanes are to be looked at, and which of them were
    private readonly HashSet<(Guid ProjectId, Guid Id)> _ended = [];
    private readonly HashSet<(Guid ProjectId, Guid Id)> _waiting = [];
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );
    private readonly LogPace _pace;

    public Admission(Databases databases, QueueSignals signals, TimeProvider clock, ILogger<Admission> logger)
    {
        (_databases, _signals, _clock, _logger) = (databases, signals, clock, logger);
        _coming = new ComingLanes(clock, Wake);
        _pace = new LogPace(clock);
    }

    /// <summary>There may be room, or something new: to be told after the commit, from any thread.</summary>
    public void Look(Lane lane)
    {
        lock (_lock)
        {
            if (_lanes.Count < MaxPending)
            {
                _lanes.Add(lane);
            }
        }

        Wake();
    }

    /// <summary>Every lane of the queue may have room: to be told after the commit, from any thread.</summary>
    public void Look(QueueRef queue)
    {
        lock (_lock)
        {
            _queues[queue] = new Lane(queue.ProjectId, queue.QueueId, "");
        }

        Wake();
    }

    /// <summary>The job is over and others wait for that: to be told after the commit, from any thread.</summary>
    public void Ended(Guid projectId, Guid id)
    {
        lock (_lock)
        {
            if (_ended.Count < MaxPending)
            {
                _ended.Add((projectId, id));
            }
        }

        Wake();
    }

    /// <summary>
    /// The job came to wait for others, which may have ended at the same moment: to be told after the commit, from any thread.
    /// </summary>
    public void Waits(Guid projectId, Guid id)
    {
        lock (_lock)
        {
            if (_waiting.Count < MaxPending)
            {
                _waiting.Add((projectId, id));
            }
        }

        Wake();
    }

    /// <summary>The job has no place in its lane any more: to be told after the commit, from any thread.</summary>
    /// <param name="hasChildren">It is over, and others wait for that.</param>
    public void Left(Guid projectId, Guid id, long queueId, string? lane, bool hasChildren)
    {
        if (lane is not null)
        {
            Look(new Lane(projectId, queueId, lane));
        }

        if (hasChildren)
        {
            Ended(projectId, id);
        }
    }

    /// <summary>Looks for lanes of all projects that have room for a job that is due, now or soon.</summary>
    /// <returns>How many have it now.</returns>
    public async Task<int> LookAtAllAsync(CancellationToken cancellationToken)
    {
        var count = 0;
        await using var connection = await _databases.Engine.OpenConnectionAsync(cancellationToken);
        for (Lane? after = new Lane(Guid.Empty, 0, ""); after is { } last; )
        {
            var found = await Lanes.FindAsync(connection, last, long.MaxValue, MaxFound, cancellationToken);
            Note(found);
            count += found.Due.Count;
            after = found.Last;
        }

        return count;
    }

    /// <summary>Frees jobs that wait for nothing any more, and cancels those that wait in vain.</summary>
    public async Task FreeAsync(IReadOnlyList<(Guid ProjectId, Guid Id)> jobs, CancellationToken cancellationToken)
    {
        if (jobs.Count > 0)
        {
            await using var connection = await _databases.Engine.OpenConnectionAsync(cancellationToken);
            Tell(await JobEdges.FreeAsync(connection, jobs, cancellationToken));
        }
    }

    /// <summary>Ends jobs that wait for what is no more, and lets those go on that needed no more than its end.</summary>
    public async Task<int> LoseAsync(
        IReadOnlyList<(Guid ProjectId, Guid ParentId, Guid ChildId)> edges,
        CancellationToken cancellationToken
    )
    {
        if (edges.Count == 0)
        {
            return 0;
        }

        await using var connection = await _databases.Engine.OpenConnectionAsync(cancellationToken);
        var settled = await JobEdges.LoseAsync(connection, edges, cancellationToken);
        Tell(settled);
        return settled.Canceled.Count;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var _ in _wake.Reader.ReadAllAsync(stoppingToken))
        {
            while (!stoppingToken.IsCancellationRequested && Take() is { IsEmpty: false } turn)
            {
                try
                {
                    await SettleAsync(turn.Ended, stoppingToken);
                    await FreeAsync(turn.Waiting, stoppingToken);
                    await FindAsync(turn.Queue, stoppingToken);
                    await AdmitAsync(turn.Lanes, stoppingToken);
                }
                catch (Exception exception) when (exception is not OperationCanceledException)
                {
                    if (_pace.IsDue())
                    {
                        NotAdmitted(_logger, exception, turn.Lanes.Length, turn.Ended.Length + turn.Waiting.Length);
                    }

                    await Task.Delay(Backoff, _clock, stoppingToken);
                }
            }
        }
    }

    private Turn Take()
    {
        var due = _coming.TakeDue();
        lock (_lock)
        {
            _lanes.UnionWith(due);
            var lanes = _lanes.Take(MaxLanes).ToArray();
            _lanes.ExceptWith(lanes);
            var ended = _ended.Take(MaxLanes).ToArray();
            _ended.ExceptWith(ended);
            var waiting = _waiting.Take(MaxLanes).ToArray();
            _waiting.ExceptWith(waiting);
            if (_queues.Count == 0)
            {
                return new Turn(lanes, ended, waiting, null);
            }

            var (queue, last) = _queues.First();
            _queues.Remove(queue);
            return new Turn(lanes, ended, waiting, last);
        }
    }

    /// <summary>Looks at the next lanes of a queue that changed, and leaves the rest to a later turn: no other lane waits for all of them.</summary>
    private async Task FindAsync(Lane? queue, CancellationToken stoppingToken)
    {
        if (queue is not { } last)
        {
            return;
        }

        await using var connection = await _databases.Engine.OpenConnectionAsync(stoppingToken);
        var found = await Lanes.FindAsync(connection, last, last.QueueId, MaxFound, stoppingToken);
        Note(found);
        if (found.Last is { } next)
        {
            lock (_lock)
            {
                _queues.TryAdd(new QueueRef(next.ProjectId, next.QueueId), next); // unless it is to be begun anew
            }
        }
    }

    private void Note(FoundLanes found)
    {
        foreach (var lane in found.Due)
        {
            Look(lane);
        }

        Keep(found.Coming);
    }

    // drawn within a quarter of a second, so that replicas that know of the same lanes do not meet at each of them
    private void Keep(IReadOnlyList<ComingLane> lanes)
    {
        foreach (var (lane, after) in lanes)
        {
            _coming.Keep(lane, after + (Random.Shared.NextDouble() * Spread));
        }
    }

    private async Task AdmitAsync(Lane[] lanes, CancellationToken stoppingToken)
    {
        if (lanes.Length == 0)
        {
            return;
        }

        await using var connection = await _databases.Engine.OpenConnectionAsync(stoppingToken);
        var admitted = await Lanes.AdmitAsync(connection, lanes, stoppingToken);
        if (admitted.Count > 0)
        {
            _signals.Raise();
        }

        Keep(admitted.Coming);
        if (admitted.Busy.Count > 0)
        {
            // another process is at them: whether it saw what we were told of is not known
            await Task.Delay(Backoff, _clock, stoppingToken);
            foreach (var lane in admitted.Busy)
            {
                Look(lane);
            }
        }
    }

    private async Task SettleAsync((Guid ProjectId, Guid Id)[] ended, CancellationToken stoppingToken)
    {
        if (ended.Length == 0)
        {
            return;
        }

        await using var connection = await _databases.Engine.OpenConnectionAsync(stoppingToken);
        Tell(await JobEdges.SettleAsync(connection, ended, stoppingToken));
    }

    private void Tell(SettledEdges settled)
    {
        foreach (var lane in settled.Lanes)
        {
            Look(lane);
        }

        foreach (var (projectId, id) in settled.Canceled)
        {
            Ended(projectId, id);
        }

        if (settled.HasReady)
        {
            _signals.Raise();
        }
    }

    private void Wake() => _wake.Writer.TryWrite(true);

    public override void Dispose()
    {
        _coming.Dispose();
        base.Dispose();
    }

    [LoggerMessage(
        LogLevel.Warning,
        "{Lanes} lanes and {Jobs} jobs that wait or are waited for could not be looked at; a duty does it within five seconds."
    )]
    private static partial void NotAdmitted(ILogger logger, Exception exception, int lanes, int jobs);

    /// <param name="Queue">One that changed, and the last of its lanes that was looked at.</param>
    private readonly record struct Turn(
        Lane[] Lanes,
        (Guid ProjectId, Guid Id)[] Ended,
        (Guid ProjectId, Guid Id)[] Waiting,
        Lane? Queue
    )
    {
        public bool IsEmpty => Lanes.Length + Ended.Length + Waiting.Length == 0 && Queue is null;
    }
}
