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
        IReadOnlyList<string> queues,
        int max,
        Action<Waiter> leave,
        TimeProvider clock
    )
    {
        (ProjectId, WorkerId, Queues, Max, _leave, _clock) = (projectId, workerId, queues, max, leave, clock);
        Place = new LinkedListNode<Waiter>(this);
    }

    public Guid ProjectId { get; }

    public Guid WorkerId { get; }

    public IReadOnlyList<string> Queues { get; }

    public int Max { get; }

    public LinkedListNode<Waiter> Place { get; }

    public void Park() => _woken = New();

    public void Wake() => _woken.TrySetResult();

    /// <summary>Waits until it is woken, or the time is over.</summary>
    public async Task WaitAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            await _woken.Task.WaitAsync(patience, _clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            // there was nothing
        }
    }

    public void Dispose() => _leave(this);

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
