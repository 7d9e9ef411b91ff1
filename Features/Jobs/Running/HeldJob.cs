namespace Bellhop.Features.Jobs.Running;

/// <summary>A claimed job while this process has to do with it: claimed ahead, executing, or being finished.</summary>
internal sealed class HeldJob : IDisposable
{
    private readonly TimeProvider _clock;
    private readonly CancellationTokenSource _cancellation = new();

    // raised once, by whoever ends it first: its execution, the runner that stops, or the heartbeat
    private int _ending;

    // written and read by the heartbeat's loops, by each after an extension of its own
    private long _extendedAt;

    /// <param name="asked">When the claim was sent: the lease runs at least from there.</param>
    public HeldJob(ClaimedJob job, TimeSpan lease, long asked, TimeProvider clock)
    {
        (Job, Lease, ClaimedAt, _extendedAt, _clock) = (job, lease, asked, asked, clock);
        Token = _cancellation.Token; // handlers may look at it after the end, when the source is gone
    }

    public ClaimedJob Job { get; }

    public TimeSpan Lease { get; }

    public long ClaimedAt { get; }

    /// <summary>Cancelled when the lease is lost, when the job is to be canceled, or when a stopping process has waited long enough.</summary>
    public CancellationToken Token { get; }

    /// <summary>Whether the end is said: an answer of the database that no longer knows the claim means nothing then.</summary>
    public bool IsEnding => Volatile.Read(ref _ending) != 0;

    /// <summary>Somebody else may hold it by now: nothing is written for it any more.</summary>
    public bool IsLost { get; private set; }

    /// <summary>Somebody wants the job canceled, and the database said so.</summary>
    public bool IsCanceled { get; private set; }

    public TimeSpan SinceExtended => _clock.GetElapsedTime(Volatile.Read(ref _extendedAt));

    /// <summary>True for the first who asks: there is one end to an execution.</summary>
    public bool TryEnd() => Interlocked.Exchange(ref _ending, 1) == 0;

    /// <param name="asked">When the extension was sent: the lease runs at least from there.</param>
    public void Extended(long asked) => Volatile.Write(ref _extendedAt, asked);

    public void Lose()
    {
        IsLost = true;
        Cancel();
    }

    /// <summary>Ends the execution for good: the job is not tried again.</summary>
    public void CancelJob()
    {
        IsCanceled = true;
        Cancel();
    }

    public void Cancel()
    {
        try
        {
            _cancellation.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // it ended at this moment
        }
        catch (AggregateException)
        {
            // a handler's own callback threw; its execution ends either way
        }
    }

    public void Dispose() => _cancellation.Dispose();
}
