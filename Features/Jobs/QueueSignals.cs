namespace Bellhop.Features.Jobs;

/// <summary>Wakes the runner of this process when work was put on a queue. Only a hint: polling finds what it misses.</summary>
public sealed class QueueSignals : IDisposable
{
    // raised by whoever commits a job, taken by the runner's one loop
    private readonly SemaphoreSlim _signal = new(0, 1);

    /// <summary>To be called after the commit, from any thread.</summary>
    public void Raise()
    {
        try
        {
            _signal.Release();
        }
        catch (SemaphoreFullException)
        {
            // one wake-up is enough
        }
    }

    public void Dispose() => _signal.Dispose();

    /// <summary>Waits for a signal, or until the time is over.</summary>
    public Task<bool> WaitAsync(TimeSpan patience, CancellationToken cancellationToken) =>
        _signal.WaitAsync(patience, cancellationToken);
}
