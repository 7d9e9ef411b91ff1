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
    public HeldJob(ClaimedRow row, bool isLimited, long asked, TimeProvider clock)
    {
        (Job, IsLate, IsLimited) = (row.Job, row.IsLate, isLimited);
        Lease = TimeSpan.FromSeconds(row.LeaseSeconds);
        MaxRun = row.MaxRunSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : Timeout.InfiniteTimeSpan;
        (ClaimedAt, _extendedAt, _clock) = (asked, asked, clock);
        Token = _cancellation.Token; // handlers may look at it after the end, when the source is gone
    }

    public ClaimedJob Job { get; }

    public TimeSpan Lease { get; }

    /// <summary>How long its queue lets an execution take; infinite where it says nothing.</summary>
    public TimeSpan MaxRun { get; }

    /// <summary>It was to start before it was claimed, or not at all.</summary>
    public bool IsLate { get; }

    /// <summary>Its queue has a limit: its end may let another begin.</summary>
    public bool IsLimited { get; }

    public long ClaimedAt { get; }

    /// <summary>Cancelled when the lease is lost, when the job is to be canceled, or when a stopping process has waited long enough.</summary>
    public CancellationToken Token { get; }

    /// <summary>Whether the end is said: an answer of the database that no longer knows the claim means nothing then.</summary>
    public bool IsEnding => Volatile.Read(ref _ending) != 0;

    /// <summary>Somebody else may hold it by now: nothing is written for it any more.</summary>
    public bool IsLost { get; private set; }

    /// <summary>Somebody wants the job canceled, and the database said so.</summary>
    public bool IsCanceled { get; private set; }

    /// <summary>It took longer than its queue allows: its lease is extended no more.</summary>
    public bool IsOverdue { get; private set; }

    public bool IsDueToStop => !IsOverdue && MaxRun > TimeSpan.Zero && _clock.GetElapsedTime(ClaimedAt) > MaxRun;

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

    /// <summary>Ends the execution as a failed attempt.</summary>
    public void Overrun()
    {
        IsOverdue = true;
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
