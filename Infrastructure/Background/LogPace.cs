namespace Bellhop.Infrastructure.Background;

/// <summary>Lets a loop that fails over and over say so once in ten seconds.</summary>
public sealed class LogPace(TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private long? _last;

    /// <summary>Whether now is the time to say it; asking counts as saying.</summary>
    public bool IsDue()
    {
        lock (_lock)
        {
            if (_last is { } last && clock.GetElapsedTime(last) < Pause)
            {
                return false;
            }

            _last = clock.GetTimestamp();
            return true;
        }
    }
}
