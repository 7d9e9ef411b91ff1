using System.Collections.Concurrent;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>What is known without a look: which queues had nothing a moment ago, and which workers were told so.</summary>
internal sealed class IdleWorkers(TimeProvider clock)
{
    private const int MaxTold = 10_000;
    private static readonly TimeSpan Recent = TimeSpan.FromSeconds(2);

    // raised with each signal
    private long _signals;

    // replaced by the desk's loop: where nothing was due at its last look
    private volatile Calm _calm = new(0, 0, []);

    // by worker: when it was told last that there is nothing
    private readonly ConcurrentDictionary<(Guid ProjectId, Guid WorkerId), long> _told = new();

    /// <summary>How many signals there have been: one more may mean that there is something.</summary>
    public long Signals => Interlocked.Read(ref _signals);

    public void HearSignal() => Interlocked.Increment(ref _signals);

    /// <summary>Notes that a call is answered without a job.</summary>
    public void TellNothing(Waiter waiter)
    {
        _told[(waiter.ProjectId, waiter.WorkerId)] = clock.GetTimestamp();
        if (_told.Count > MaxTold)
        {
            foreach (var told in _told.Where(told => clock.GetElapsedTime(told.Value) > Recent))
            {
                _told.TryRemove(told);
            }
        }
    }

    /// <summary>Notes what a look found.</summary>
    /// <param name="signals">How many there had been when it began.</param>
    /// <param name="began">When that was.</param>
    /// <param name="due">How many jobs are due, by queue.</param>
    public void NoteLook(long signals, long began, IReadOnlyDictionary<(Guid ProjectId, string Queue), long> due) =>
        _calm = new Calm(signals, began, [.. due.Where(queue => queue.Value == 0).Select(queue => queue.Key)]);

    /// <summary>Whether its worker was told a moment ago that there is nothing, and nothing has come since.</summary>
    public bool IsIdle(Waiter waiter)
    {
        var calm = _calm;
        return _told.TryGetValue((waiter.ProjectId, waiter.WorkerId), out var told)
            && clock.GetElapsedTime(told) < Recent
            && calm.Signals == Signals
            && clock.GetElapsedTime(calm.Began) < Recent
            && waiter.Queues.All(queue => calm.Queues.Contains((waiter.ProjectId, queue)));
    }

    private sealed record Calm(long Signals, long Began, HashSet<(Guid ProjectId, string Queue)> Queues);
}
