namespace Bellhop.Infrastructure.Background;

/// <summary>Rounds that follow each other while anybody is in, and none while nobody is: one loop, however many come and go.</summary>
/// <remarks>A round that throws is told in the log, at most once in ten seconds, and the next one follows a second later.</remarks>
/// <param name="round">It waits for the next one itself.</param>
public sealed partial class Rounds(Func<Task> round, TimeProvider clock, ILogger logger)
{
    private static readonly TimeSpan AfterFailure = TimeSpan.FromSeconds(1);

    private readonly LogPace _pace = new(clock);
    private readonly Lock _lock = new();

    // under the lock
    private int _count;
    private bool _isRunning;

    /// <summary>The first who comes starts them. Each who came must leave.</summary>
    public void Enter()
    {
        lock (_lock)
        {
            _count++;
            if (!_isRunning)
            {
                _isRunning = true;
                _ = Task.Run(RunAsync);
            }
        }
    }

    public void Leave()
    {
        lock (_lock)
        {
            _count--;
        }
    }

    private async Task RunAsync()
    {
        while (GoesOn())
        {
            try
            {
                await round();
            }
            catch (Exception exception)
            {
                if (_pace.IsDue())
                {
                    RoundFailed(logger, exception);
                }

                await Task.Delay(AfterFailure, clock);
            }
        }
    }

    private bool GoesOn()
    {
        lock (_lock)
        {
            return _isRunning = _count > 0;
        }
    }

    [LoggerMessage(LogLevel.Error, "A round on behalf of those who wait failed; the next follows in a second.")]
    private static partial void RoundFailed(ILogger logger, Exception exception);
}
