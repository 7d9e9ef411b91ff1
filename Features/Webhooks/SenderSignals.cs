using System.Collections.Concurrent;
using Bellhop.Infrastructure.Database;

namespace Bellhop.Features.Webhooks;

/// <summary>Tells senders that something is due. While one of this process is at work for the endpoint, that costs no SQL.</summary>
/// <remarks>Otherwise its job is enqueued, by one statement for all that were asked for meanwhile. What is missed here the duty finds.</remarks>
internal sealed partial class SenderSignals : IDisposable
{
    private readonly SenderJobs _jobs;
    private readonly ILogger<SenderSignals> _logger;
    private readonly IDisposable _subscription;

    // added and removed by the senders of this process, read by whoever raises
    private readonly ConcurrentDictionary<Guid, SenderPresence> _present = new();

    // added by whoever raises, emptied by the one starter
    private readonly ConcurrentDictionary<(Guid ProjectId, Guid EndpointId), byte> _wanted = new();

    // 1 while a starter runs; whoever brings it from 0 to 1 runs one
    private int _starting;

    public SenderSignals(SenderJobs jobs, Notifications notifications, ILogger<SenderSignals> logger)
    {
        (_jobs, _logger) = (jobs, logger);
        _subscription = notifications.Subscribe(SenderJobs.Topic, Heard);
    }

    /// <summary>To be called after the commit of a delivery that is due, from any thread.</summary>
    public void Raise(Guid projectId, Guid endpointId)
    {
        if (_present.TryGetValue(endpointId, out var sender))
        {
            sender.Wake();
            return;
        }

        _wanted.TryAdd((projectId, endpointId), default);
        Start();
    }

    /// <summary>A sender is at work until it disposes of what it gets. It must look for due deliveries after this call.</summary>
    /// <remarks>To be disposed of after the end of its job has committed, and before it looks for what came meanwhile.</remarks>
    public SenderPresence Enter(Guid endpointId)
    {
        var presence = new SenderPresence(gone => _present.TryRemove(KeyValuePair.Create(endpointId, gone)));
        _present[endpointId] = presence;
        return presence;
    }

    public void Dispose() => _subscription.Dispose();

    private void Heard(string topic)
    {
        if (topic.Length == SenderJobs.Topic.Length)
        {
            foreach (var (_, sender) in _present)
            {
                sender.Wake();
            }
        }
        else if (
            Guid.TryParse(topic.AsSpan(SenderJobs.Topic.Length), out var endpointId)
            && _present.TryGetValue(endpointId, out var sender)
        )
        {
            sender.Wake();
        }
    }

    private void Start()
    {
        if (Interlocked.Exchange(ref _starting, 1) == 0)
        {
            _ = Task.Run(StartAsync);
        }
    }

    private async Task StartAsync()
    {
        try
        {
            while (!_wanted.IsEmpty)
            {
                var wanted = _wanted.Keys.ToArray();
                foreach (var endpoint in wanted)
                {
                    _wanted.TryRemove(endpoint, out _);
                }

                await _jobs.StartAsync(wanted, CancellationToken.None);
            }
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            NotStarted(_logger, exception.Message);
        }
        finally
        {
            Volatile.Write(ref _starting, 0);
        }

        // asked for between the last look and the zero
        if (!_wanted.IsEmpty)
        {
            Start();
        }
    }

    [LoggerMessage(LogLevel.Warning, "Senders could not be enqueued ({Reason}); the duty finds what is due.")]
    private static partial void NotStarted(ILogger logger, string reason);
}

/// <summary>A sender at work in this process, as those see it who have something for it.</summary>
internal sealed class SenderPresence(Action<SenderPresence> leave) : IDisposable
{
    // raised by whoever commits a delivery, taken by the sender's one taking loop; never disposed, for a late raise is harmless
    private readonly SemaphoreSlim _wake = new(0, 1);

    public void Wake()
    {
        if (_wake.CurrentCount > 0)
        {
            return; // an exception for each delivery would cost more than it
        }

        try
        {
            _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // one wake-up is enough
        }
    }

    /// <summary>Waits to be woken, or until the time is over.</summary>
    public Task<bool> WaitAsync(TimeSpan patience, CancellationToken cancellationToken) =>
        _wake.WaitAsync(patience, cancellationToken);

    public void Dispose() => leave(this);
}
