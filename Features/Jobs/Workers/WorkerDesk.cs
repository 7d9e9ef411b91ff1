using System.Threading.Channels;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Where calls of workers wait for something to do, without a connection or a thread each.</summary>
/// <remarks>
/// One statement looks for all who wait: after a signal, and each second. A thousand idle workers cost the database what one costs: who
/// was told a moment ago that there is nothing, and asks again, waits at once. Who has waited longest is woken first, and no more of them
/// than there are jobs; each then claims for itself.
/// </remarks>
internal sealed partial class WorkerDesk(
    Databases databases,
    QueueSignals signals,
    WorkerRegistry registry,
    Notifications notifications,
    IHostApplicationLifetime lifetime,
    TimeProvider clock,
    ILogger<WorkerDesk> logger
) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(10);

    private readonly IdleWorkers _idle = new(clock);
    private readonly Lock _lock = new();

    // under the lock: joined and left by calls, woken by the loop, the longest waiting first
    private readonly LinkedList<Waiter> _waiters = new();
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );

    // raised by a cancel that was asked for, taken by the loop
    private volatile bool _hasCancels;

    /// <summary>Takes a place in the line, the last one; dispose of it to leave.</summary>
    /// <remarks>Who is woken for nothing keeps the place.</remarks>
    public Waiter Join(Guid projectId, Guid workerId, Guid claimKey, IReadOnlyList<string> queues, int max)
    {
        var waiter = new Waiter(projectId, workerId, claimKey, queues, max, Leave, clock);
        lock (_lock)
        {
            _waiters.AddLast(waiter.Place);
        }

        return waiter;
    }

    /// <summary>Notes that a call is answered without a job.</summary>
    public void TellNothing(Waiter waiter) => _idle.TellNothing(waiter);

    /// <summary>Whether a call that has joined may wait without a look of its own: its worker was told a moment ago that there is nothing.</summary>
    /// <remarks>Should it be one that comes again with its key, although its worker was told nothing since, it is woken within a second.</remarks>
    public bool MayWait(Waiter waiter)
    {
        // who has joined before the service stops is woken then
        var mayWait = !lifetime.ApplicationStopping.IsCancellationRequested && _idle.IsIdle(waiter);
        waiter.IsUnlooked = mayWait;
        return mayWait;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var raised = signals.OnRaised(() =>
        {
            _idle.HearSignal();
            _wake.Writer.TryWrite(true);
        });
        using var cancels = QueueSignals.OnCancel(notifications, _ => Cancel());
        using var directives = notifications.Subscribe(WorkerRegistry.Topic, WakeWorker);
        await using var stopping = lifetime.ApplicationStopping.Register(WakeAll); // before the server waits for its requests
        var pace = new LogPace(clock);
        while (!stoppingToken.IsCancellationRequested)
        {
            var pause = Pause;
            try
            {
                pause = await LookAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                if (pace.IsDue())
                {
                    NotLooking(logger, exception);
                }
            }

            using var patience = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            patience.CancelAfter(pause);
            try
            {
                await _wake.Reader.ReadAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                // time without a signal
            }
        }
    }

    private void Cancel()
    {
        _hasCancels = true;
        _wake.Writer.TryWrite(true);
    }

    private void Leave(Waiter waiter)
    {
        lock (_lock)
        {
            _waiters.Remove(waiter.Place);
        }
    }

    private Waiter[] Waiting()
    {
        lock (_lock)
        {
            return [.. _waiters];
        }
    }

    private void WakeAll() => Array.ForEach(Waiting(), waiter => waiter.Wake());

    private void WakeWorker(string topic)
    {
        foreach (
            var waiter in Waiting()
                .Where(waiter => topic.EndsWith(waiter.WorkerId.ToString(), StringComparison.Ordinal))
        )
        {
            waiter.Wake();
        }
    }

    /// <returns>When to look again, signal or not.</returns>
    private async Task<TimeSpan> LookAsync(CancellationToken cancellationToken)
    {
        var (began, heard) = (clock.GetTimestamp(), _idle.Signals);
        var waiting = Waiting();
        if (waiting.Length == 0 && !registry.HasDue)
        {
            return Pause;
        }

        await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
        await registry.NoteAsync(connection, cancellationToken);
        await WakeRepeatedAsync(connection, waiting, cancellationToken);
        if (_hasCancels)
        {
            _hasCancels = false;
            await WakeCanceledAsync(connection, waiting, cancellationToken);
        }

        var wanted = waiting
            .SelectMany(waiter => waiter.Queues.Select(queue => (waiter.ProjectId, queue)))
            .Distinct()
            .ToArray();
        var (due, pause) = await DueJobs.CountAsync(connection, wanted, waiting.Length, cancellationToken);
        _idle.NoteLook(heard, began, due);
        foreach (var waiter in waiting)
        {
            foreach (var key in waiter.Queues.Select(queue => (waiter.ProjectId, queue)))
            {
                if (due.GetValueOrDefault(key) > 0)
                {
                    due[key] -= waiter.Max;
                    waiter.Wake();
                    break;
                }
            }
        }

        return pause is not { } room || room > Pause ? Pause
            : room < ShortestPause ? ShortestPause
            : room;
    }

    /// <summary>Who waits without having looked, and holds what its key was given before, is to be told so.</summary>
    private static async Task WakeRepeatedAsync(
        NpgsqlConnection connection,
        Waiter[] waiting,
        CancellationToken cancellationToken
    )
    {
        var unlooked = waiting.Where(waiter => waiter.IsUnlooked).ToArray();
        if (unlooked.Length == 0)
        {
            return;
        }

        await using var command = new NpgsqlCommand(Sql.FindRepeated, connection)
        {
            Parameters =
            {
                new("Workers", NpgsqlDbType.Array | NpgsqlDbType.Uuid)
                {
                    Value = unlooked.Select(waiter => waiter.WorkerId).ToArray(),
                },
                new("Keys", NpgsqlDbType.Array | NpgsqlDbType.Uuid)
                {
                    Value = unlooked.Select(waiter => waiter.ClaimKey).ToArray(),
                },
            },
        };
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                unlooked[reader.GetInt64(0) - 1].Wake();
            }
        }

        Array.ForEach(unlooked, waiter => waiter.IsUnlooked = false);
    }

    private static async Task WakeCanceledAsync(
        NpgsqlConnection connection,
        Waiter[] waiting,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(Sql.FindCanceled, connection);
        var workers = new HashSet<Guid>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            workers.Add(reader.GetGuid(0));
        }

        foreach (var waiter in waiting.Where(waiter => workers.Contains(waiter.WorkerId)))
        {
            waiter.Wake();
        }
    }

    [LoggerMessage(
        LogLevel.Warning,
        "Nothing could be looked for on behalf of the workers that wait; trying again each second."
    )]
    private static partial void NotLooking(ILogger logger, Exception exception);

    private static class Sql
    {
        // engine-wide: on behalf of the workers of all projects
        public const string FindRepeated = """
            SELECT w.position
            FROM unnest(@Workers::uuid[], @Keys::uuid[]) WITH ORDINALITY AS w(id, claim_key, position)
            CROSS JOIN LATERAL (
                SELECT FROM jobs j WHERE j.worker_id = w.id AND j.claim_key = w.claim_key AND j.state = 2 LIMIT 1
            ) AS held
            """;

        // engine-wide: jobs of all projects that are to be canceled, a few at any time
        public const string FindCanceled = """
            SELECT DISTINCT worker_id
            FROM jobs
            WHERE cancel_requested_at IS NOT NULL AND state = 2 AND claim_key IS NOT NULL
            """;
    }
}
