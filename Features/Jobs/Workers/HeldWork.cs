namespace Bellhop.Features.Jobs.Workers;

/// <summary>A job in this worker's hands. The first who says that its program is to stop says how it ended.</summary>
internal sealed class HeldWork(WorkView work, TimeProvider clock) : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly long _began = clock.GetTimestamp();
    private long _from = clock.GetTimestamp();
    private int _leaseSeconds = work.LeaseSeconds;
    private bool _isOver;

    public Guid Id { get; } = work.Id;

    public string Lease { get; } = work.Lease;

    public Task Done { get; set; } = Task.CompletedTask;

    public CancellationToken Stopped => _stop.Token;

    public EndDocument? End { get; private set; }

    public bool IsLost { get; private set; }

    /// <summary>Whether no more than that has passed since the lease ended.</summary>
    public bool IsWithin(TimeSpan time) =>
        clock.GetElapsedTime(Interlocked.Read(ref _from)) < TimeSpan.FromSeconds(_leaseSeconds) + time;

    public void Check()
    {
        if (!IsWithin(TimeSpan.Zero))
        {
            Lose();
        }
        else if (work.DeadlineSeconds is { } seconds && clock.GetElapsedTime(_began).TotalSeconds > seconds)
        {
            Overrun();
        }
    }

    public void Hear(BeatView view, long sent)
    {
        if (view.LeaseSeconds is { } seconds)
        {
            _leaseSeconds = seconds;
            Interlocked.Exchange(ref _from, sent);
        }

        switch (view.Status)
        {
            case "cancel":
                Stop(new EndDocument(Id, Lease, "canceled"));
                break;
            case "deadline":
                Overrun();
                break;
            case "lost":
                Lose();
                break;
        }
    }

    public void Stop(EndDocument? end)
    {
        lock (_lock)
        {
            if (!_isOver && !_stop.IsCancellationRequested)
            {
                End = end;
                IsLost = end is null;
                _ = _stop.CancelAsync(); // not here: what is told must not wait for who listens
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isOver = true;
            _stop.Dispose();
        }
    }

    private void Lose() => Stop(null);

    private void Overrun() =>
        Stop(new EndDocument(Id, Lease, "failed", Error: new EndError("deadline", "The command took too long.")));
}
