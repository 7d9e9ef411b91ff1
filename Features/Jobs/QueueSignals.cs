using System.Collections.Concurrent;
using System.Globalization;
using Bellhop.Infrastructure.Database;

namespace Bellhop.Features.Jobs;

/// <summary>A queue, as its jobs refer to it.</summary>
public readonly record struct QueueRef(Guid ProjectId, long QueueId)
{
    /// <summary>Null: it names none.</summary>
    public static QueueRef? Parse(ReadOnlySpan<char> text) =>
        text is [':', .. var rest]
        && rest.IndexOf('/') is var at and > 0
        && Guid.TryParseExact(rest[..at], "N", out var projectId)
        && long.TryParse(rest[(at + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var queueId)
            ? new QueueRef(projectId, queueId)
            : null;

    /// <summary>What stands behind a topic.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $":{ProjectId:N}/{QueueId}");
}

/// <summary>Wakes the runners when work was put on a queue. Only a hint: polling finds what it misses.</summary>
public sealed class QueueSignals : IDisposable
{
    private const int MaxServed = 10_000;
    private const string PausedTopic = "paused:";

    private const string Topic = "jobs";
    private const string CancelTopic = "cancel:";

    private readonly Notifications _notifications;
    private readonly IDisposable _subscription;

    // raised by whoever commits a job, taken by the runner's one loop
    private readonly SemaphoreSlim _signal = new(0, 1);

    // added by whoever commits a job, taken by the runner's one loop
    private readonly ConcurrentDictionary<QueueRef, byte> _named = new();

    // told by the runner's one loop, read by whoever raises
    private readonly ConcurrentDictionary<long, byte> _served = new();

    // raised where it is not said which queue, taken by the runner's one loop
    private volatile bool _isUnnamed;

    // written by the runner's loop, read by whoever raises
    private volatile bool _hasRoom;

    // called by whoever raises, on its thread
    private event Action? Raised;

    public QueueSignals(Notifications notifications)
    {
        _notifications = notifications;
        _subscription = notifications.Subscribe(Topic, topic => Tell(QueueRef.Parse(topic.AsSpan(Topic.Length))));
    }

    /// <summary>The queues with work that the runner of this process serves; others may be those of workers that wait elsewhere.</summary>
    internal void Serve(IEnumerable<long> queueIds)
    {
        if (_served.Count > MaxServed)
        {
            _served.Clear();
        }

        foreach (var queueId in queueIds)
        {
            _served.TryAdd(queueId, default);
        }
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
        Tell(null);
        if (!_hasRoom)
        {
            _notifications.Send(Topic);
        }
    }

    /// <summary>The same where the queue is known: whoever claims need not look for it.</summary>
    public void Raise(QueueRef queue)
    {
        Tell(queue);
        if (!_hasRoom || !_served.ContainsKey(queue.QueueId))
        {
            _notifications.Send($"{Topic}{queue}");
        }
    }

    /// <summary>The queues that were named since the last time, and whether any other may be meant as well.</summary>
    internal (IReadOnlyList<QueueRef> Named, bool IsUnnamed) Take()
    {
        var isUnnamed = _isUnnamed;
        _isUnnamed = false;
        var named = _named.Keys.ToArray();
        foreach (var queue in named)
        {
            _named.TryRemove(queue, out _);
        }

        return (named, isUnnamed);
    }

    /// <summary>Tells whoever holds the job, in whichever process, that it is to be canceled. To be called after the commit.</summary>
    public void RaiseCancel(Guid jobId) => _notifications.Send($"{CancelTopic}{jobId}");

    /// <summary>Calls the handler with each job that is to be canceled, or with null where any may be; it must be quick.</summary>
    internal static IDisposable OnCancel(Notifications notifications, Action<Guid?> handler) =>
        notifications.Subscribe(
            CancelTopic,
            topic => handler(Guid.TryParse(topic.AsSpan(CancelTopic.Length), out var id) ? id : null)
        );

    /// <summary>Calls the handler with each queue that was paused, or with null where any may have been; it must be quick.</summary>
    internal static IDisposable OnPaused(Notifications notifications, Action<long?> handler) =>
        notifications.Subscribe(
            PausedTopic,
            topic =>
                handler(
                    long.TryParse(topic.AsSpan(PausedTopic.Length), CultureInfo.InvariantCulture, out var id)
                        ? id
                        : null
                )
        );

    /// <summary>To be called after the commit that paused a queue: whoever holds jobs of it that were not begun gives them back.</summary>
    public void RaisePaused(long queueId) => _notifications.Send($"{PausedTopic}{queueId}");

    /// <summary>Calls the handler at each signal; it must be quick.</summary>
    internal IDisposable OnRaised(Action handler)
    {
        Raised += handler;
        return new Unsubscription(() => Raised -= handler);
    }

    /// <summary>Wakes the runner of this process alone.</summary>
    internal void Wake()
    {
        if (_signal.CurrentCount > 0)
        {
            return; // the usual case while jobs end by the thousand: an exception each would cost as much as the jobs
        }

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

    private void Tell(QueueRef? queue)
    {
        if (queue is { } named)
        {
            _named.TryAdd(named, default);
        }
        else
        {
            _isUnnamed = true;
        }

        Wake();
        Raised?.Invoke();
    }

    private sealed class Unsubscription(Action undo) : IDisposable
    {
        public void Dispose() => undo();
    }

    public void Dispose()
    {
        _subscription.Dispose();
        _signal.Dispose();
    }
}
