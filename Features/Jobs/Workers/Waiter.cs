namespace Bellhop.Features.Jobs.Workers;

/// <summary>A call that waits for something to do.</summary>
internal sealed class Waiter : IDisposable
{
    private readonly Action<Waiter> _leave;
    private readonly TimeProvider _clock;

    // swapped by its call alone, completed by the desk
    private volatile TaskCompletionSource _woken = New();

    public Waiter(
        Guid projectId,
        Guid workerId,
        Guid claimKey,
        IReadOnlyList<string> queues,
        int max,
        Action<Waiter> leave,
        TimeProvider clock
    )
    {
        (ProjectId, WorkerId, ClaimKey, Queues) = (projectId, workerId, claimKey, queues);
        (Max, _leave, _clock) = (max, leave, clock);
        Place = new LinkedListNode<Waiter>(this);
    }

    public Guid ProjectId { get; }

    public Guid WorkerId { get; }

    public Guid ClaimKey { get; }

    public IReadOnlyList<string> Queues { get; }

    public int Max { get; }

    public LinkedListNode<Waiter> Place { get; }

    public void Park() => _woken = New();

    public void Wake() => _woken.TrySetResult();

    /// <summary>Whether it waits without having looked: its claim may be one that comes again.</summary>
    public bool IsUnlooked { get; set; }

    /// <summary>Waits until it is woken; false: the time is over.</summary>
    public async Task<bool> WaitAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            await _woken.Task.WaitAsync(patience, _clock, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return _woken.Task.IsCompleted; // at this very moment
        }
    }

    public void Dispose() => _leave(this);

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
