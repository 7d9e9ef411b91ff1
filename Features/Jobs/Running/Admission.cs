using System.Threading.Channels;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Lets jobs that wait for their lane or for other jobs become ready, as soon as the one or the others allow it.</summary>
/// <remarks>
/// Jobs with a lane are stored waiting, and so neither enqueueing nor finishing touches a row that many share. After their commit both
/// tell here which lane may have room; a full lane costs nobody else anything, since its jobs are not in the index of what is ready.
/// What a crash, another process or plain SQL leaves untold is found by <see cref="AdmitJobs"/> within five seconds.
/// </remarks>
internal sealed partial class Admission(
    Databases databases,
    QueueSignals signals,
    TimeProvider clock,
    ILogger<Admission> logger
) : BackgroundService
{
    private const int MaxLanes = 64;
    private const int MaxPending = 100_000; // more are left to the duty
    private static readonly TimeSpan Backoff = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();

    // under the lock: told by anyone, taken by the loop
    private readonly HashSet<Lane> _lanes = [];
    private readonly HashSet<(Guid ProjectId, Guid Id)> _ended = [];
    private readonly HashSet<(Guid ProjectId, Guid Id)> _waiting = [];
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );
    private readonly LogPace _pace = new(clock);

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

        _wake.Writer.TryWrite(true);
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

        _wake.Writer.TryWrite(true);
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

        _wake.Writer.TryWrite(true);
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

    /// <summary>Frees jobs that wait for nothing any more, and cancels those that wait in vain.</summary>
    public async Task FreeAsync(IReadOnlyList<(Guid ProjectId, Guid Id)> jobs, CancellationToken cancellationToken)
    {
        if (jobs.Count > 0)
        {
            await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
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

        await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
        var settled = await JobEdges.LoseAsync(connection, edges, cancellationToken);
        Tell(settled);
        return settled.Canceled.Count;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var _ in _wake.Reader.ReadAllAsync(stoppingToken))
        {
            while (
                !stoppingToken.IsCancellationRequested
                && Take() is var (lanes, ended, waiting)
                && lanes.Length + ended.Length + waiting.Length > 0
            )
            {
                try
                {
                    await SettleAsync(ended, stoppingToken);
                    await FreeAsync(waiting, stoppingToken);
                    await AdmitAsync(lanes, stoppingToken);
                }
                catch (Exception exception) when (exception is not OperationCanceledException)
                {
                    if (_pace.IsDue())
                    {
                        NotAdmitted(logger, exception, lanes.Length, ended.Length + waiting.Length);
                    }

                    await Task.Delay(Backoff, clock, stoppingToken);
                }
            }
        }
    }

    private (Lane[] Lanes, (Guid ProjectId, Guid Id)[] Ended, (Guid ProjectId, Guid Id)[] Waiting) Take()
    {
        lock (_lock)
        {
            var lanes = _lanes.Take(MaxLanes).ToArray();
            _lanes.ExceptWith(lanes);
            var ended = _ended.Take(MaxLanes).ToArray();
            _ended.ExceptWith(ended);
            var waiting = _waiting.Take(MaxLanes).ToArray();
            _waiting.ExceptWith(waiting);
            return (lanes, ended, waiting);
        }
    }

    private async Task AdmitAsync(Lane[] lanes, CancellationToken stoppingToken)
    {
        if (lanes.Length == 0)
        {
            return;
        }

        await using var connection = await databases.Engine.OpenConnectionAsync(stoppingToken);
        var admitted = await Lanes.AdmitAsync(connection, lanes, stoppingToken);
        if (admitted.Count > 0)
        {
            signals.Raise();
        }

        if (admitted.Busy.Count > 0)
        {
            // another process is at them: whether it saw what we were told of is not known
            await Task.Delay(Backoff, clock, stoppingToken);
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

        await using var connection = await databases.Engine.OpenConnectionAsync(stoppingToken);
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
            signals.Raise();
        }
    }

    [LoggerMessage(
        LogLevel.Warning,
        "{Lanes} lanes and {Jobs} jobs that wait or are waited for could not be looked at; a duty does it within five seconds."
    )]
    private static partial void NotAdmitted(ILogger logger, Exception exception, int lanes, int jobs);
}
