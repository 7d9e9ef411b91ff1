using System.Threading.Channels;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Npgsql;
using Prometheus;

namespace Bellhop.Features.Events;

/// <summary>Stores the events of many callers in one commit: what has arrived, at most 200 events or 4 MiB, no timer.</summary>
/// <remarks>
/// Bounded at 10,000 waiting requests, beyond that 503. An event that the database refuses is retried alone, so it fails nobody
/// else. At shutdown what was taken in is stored before the process ends. A request's events are stored by one statement.
/// </remarks>
public sealed partial class EventChannel(
    NpgsqlDataSource database,
    EventWriter writer,
    UnroutedEvents unrouted,
    ILogger<EventChannel> logger
) : IHostedService
{
    private const int Capacity = 10_000;
    private const int Flushers = 2;
    private const int MaxEvents = 200;
    private const int MaxCharacters = 4 * 1024 * 1024;

    private static readonly Histogram FlushSize = Metrics.CreateHistogram(
        "bellhop_event_flush_events",
        "Events stored by one commit.",
        new HistogramConfiguration { Buckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }
    );

    private readonly Channel<Waiting> _channel = Channel.CreateBounded<Waiting>(
        new BoundedChannelOptions(Capacity) { FullMode = BoundedChannelFullMode.Wait }
    );

    private Task? _flushing;
    private object? _startLock;

    /// <summary>Stores the events and answers after the commit. A caller that goes away does not take its events back.</summary>
    public async Task<Result<IReadOnlyList<AppendedEvent>>> StoreAsync(
        IReadOnlyList<RoutedEvent> events,
        CancellationToken cancellationToken
    )
    {
        _ = Flushing();
        var waiting = new Waiting(events);
        return _channel.Writer.TryWrite(waiting)
            ? await waiting.Answer.WaitAsync(cancellationToken)
            : EventProblems.Busy;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Takes no more in, and stores what was.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _channel.Writer.TryComplete();
        await Flushing().WaitAsync(cancellationToken);
    }

    // started by the first event, so that a command line that sends one needs no host
    private Task Flushing() => LazyInitializer.EnsureInitialized(ref _flushing, ref _startLock, StartFlushers);

    private Task StartFlushers() =>
        Task.WhenAll(Enumerable.Range(0, Flushers).Select(_ => Task.Run(FlushAsync, CancellationToken.None)));

    private async Task FlushAsync()
    {
        while (await _channel.Reader.WaitToReadAsync())
        {
            var taken = Take();
            if (taken.Count > 0)
            {
                await StoreAsync(taken);
            }
        }
    }

    private List<Waiting> Take()
    {
        var taken = new List<Waiting>();
        var events = 0;
        var characters = 0;
        while (events < MaxEvents && characters < MaxCharacters && _channel.Reader.TryRead(out var waiting))
        {
            taken.Add(waiting);
            events += waiting.Events.Count;
            characters += waiting.Events.Sum(routed => routed.Event.Data?.Length ?? 0);
        }

        return taken;
    }

    private async Task StoreAsync(List<Waiting> taken)
    {
        try
        {
            FlushSize.Observe(await Outages.RepeatInContentionAsync(() => WriteAsync(taken)));
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            taken.ForEach(waiting => waiting.Set(EventProblems.Unavailable));
        }
        catch (PostgresException) when (taken.Count > 1)
        {
            foreach (var waiting in taken)
            {
                await StoreAsync([waiting]);
            }
        }
        catch (PostgresException exception)
        {
            await StoreOneByOneAsync(taken[0], exception);
        }
        catch (Exception exception)
        {
            FlushFailed(logger, exception);
            taken.ForEach(waiting => waiting.Fail(exception));
        }
    }

    /// <returns>How many events were stored.</returns>
    private async Task<int> WriteAsync(List<Waiting> taken)
    {
        var events = taken.Count == 1 ? taken[0].Events : [.. taken.SelectMany(waiting => waiting.Events)];
        await using var connection = await database.OpenConnectionAsync();
        var stored = await writer.WriteAsync(connection, events, CancellationToken.None);
        var outcomes = await writer.ResolveAsync(connection, events, stored, CancellationToken.None);
        var next = 0;
        foreach (var waiting in taken)
        {
            var count = waiting.Events.Count;
            waiting.SetOutcomes(new ArraySegment<AppendedEvent>((AppendedEvent[])outcomes, next, count));
            next += count;
        }

        unrouted.Committed(events, stored);
        return events.Count;
    }

    /// <summary>The last resort for a request whose statement the database refused: each event gets its own answer.</summary>
    private async Task StoreOneByOneAsync(Waiting waiting, PostgresException refusal)
    {
        EventRefused(logger, refusal);
        if (waiting.Events.Count == 1)
        {
            waiting.SetOutcomes([Refused(waiting.Events[0])]);
            return;
        }

        var outcomes = new List<AppendedEvent>(waiting.Events.Count);
        foreach (var routed in waiting.Events)
        {
            var alone = new Waiting([routed]);
            await StoreAsync([alone]);
            var answer = await alone.Answer;
            if (answer.Problem is not null)
            {
                waiting.Set(answer);
                return;
            }

            outcomes.AddRange(answer.Unwrap());
        }

        waiting.SetOutcomes(outcomes);
    }

    private static AppendedEvent Refused(RoutedEvent routed) =>
        new(
            routed.Event.Id,
            EventStatus.Rejected,
            Problems.Invalid.Because("The database cannot hold this event; nothing of it was stored.")
        );

    [LoggerMessage(LogLevel.Error, "Storing events failed.")]
    private static partial void FlushFailed(ILogger logger, Exception exception);

    [LoggerMessage(LogLevel.Warning, "The database refused an event.")]
    private static partial void EventRefused(ILogger logger, Exception exception);

    /// <summary>One request's events and the promise of an answer.</summary>
    private sealed class Waiting(IReadOnlyList<RoutedEvent> events)
    {
        // set once by the flusher that took it
        private readonly TaskCompletionSource<Result<IReadOnlyList<AppendedEvent>>> _answer = new(
            TaskCreationOptions.RunContinuationsAsynchronously
        );

        public IReadOnlyList<RoutedEvent> Events { get; } = events;

        public Task<Result<IReadOnlyList<AppendedEvent>>> Answer => _answer.Task;

        public void Set(Result<IReadOnlyList<AppendedEvent>> result) => _answer.TrySetResult(result);

        public void SetOutcomes(IReadOnlyList<AppendedEvent> outcomes) => Set(Result.Of(outcomes));

        public void Fail(Exception exception) => _answer.TrySetException(exception);
    }
}
