using Bellhop.Infrastructure.Database;

namespace Bellhop.Features.Jobs;

/// <summary>Wakes the runners when work was put on a queue. Only a hint: polling finds what it misses.</summary>
public sealed class QueueSignals : IDisposable
{
    /// <summary>Followed by the number of the queue.</summary>
    internal const string PausedTopic = "paused:";

    private const string Topic = "jobs";
    private const string CancelTopic = "cancel:";

    private readonly Notifications _notifications;
    private readonly IDisposable _subscription;

    // raised by whoever commits a job, taken by the runner's one loop
    private readonly SemaphoreSlim _signal = new(0, 1);

    // written by the runner's loop, read by whoever raises
    private volatile bool _hasRoom;

    public QueueSignals(Notifications notifications)
    {
        _notifications = notifications;
        _subscription = notifications.Subscribe(Topic, _ => Wake());
    }

    /// <summary>Whether the runner of this process can take what comes next, so that no other process need be told.</summary>
    internal bool HasRoom
    {
        get => _hasRoom;
        set => _hasRoom = value;
    }

    /// <summary>To be called after the commit, from any thread.</summary>
    public void Raise()
    {
        Wake();
        if (!_hasRoom)
        {
            _notifications.Send(Topic);
        }
    }

    /// <summary>Tells whoever holds the job, in whichever process, that it is to be canceled. To be called after the commit.</summary>
    public void RaiseCancel(Guid jobId) => _notifications.Send($"{CancelTopic}{jobId}");

    /// <summary>Calls the handler with each job that is to be canceled, or with null where any may be; it must be quick.</summary>
    internal static IDisposable OnCancel(Notifications notifications, Action<Guid?> handler) =>
        notifications.Subscribe(
            CancelTopic,
            topic => handler(Guid.TryParse(topic.AsSpan(CancelTopic.Length), out var id) ? id : null)
        );

    /// <summary>To be called after the commit that paused a queue: whoever holds jobs of it that were not begun gives them back.</summary>
    public void RaisePaused(long queueId) => _notifications.Send($"{PausedTopic}{queueId}");

    /// <summary>Wakes the runner of this process alone.</summary>
    internal void Wake()
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

    /// <summary>Waits for a signal, or until the time is over.</summary>
    internal Task<bool> WaitAsync(TimeSpan patience, CancellationToken cancellationToken) =>
        _signal.WaitAsync(patience, cancellationToken);

    public void Dispose()
    {
        _subscription.Dispose();
        _signal.Dispose();
    }
}
