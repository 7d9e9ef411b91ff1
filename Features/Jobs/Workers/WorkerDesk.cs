using System.Threading.Channels;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Where calls of workers wait for something to do, without a connection or a thread each.</summary>
/// <remarks>
/// One statement looks for all who wait: after a signal, and each second. A thousand idle workers cost the database what one costs.
/// Who has waited longest is woken first, and no more of them than there are jobs; each then claims for itself.
/// </remarks>
internal sealed partial class WorkerDesk(
    Databases databases,
    QueueSignals signals,
    Notifications notifications,
    IHostApplicationLifetime lifetime,
    TimeProvider clock,
    ILogger<WorkerDesk> logger
) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(10);

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
    public Waiter Join(Guid projectId, Guid workerId, IReadOnlyList<string> queues, int max)
    {
        var waiter = new Waiter(projectId, workerId, queues, max, Leave, clock);
        lock (_lock)
        {
            _waiters.AddLast(waiter.Place);
        }

        return waiter;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var raised = signals.OnRaised(() => _wake.Writer.TryWrite(true));
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
        var waiting = Waiting();
        if (waiting.Length == 0)
        {
            return Pause;
        }

        await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
        if (_hasCancels)
        {
            _hasCancels = false;
            await WakeCanceledAsync(connection, waiting, cancellationToken);
        }

        var wanted = waiting
            .SelectMany(waiter => waiter.Queues.Select(queue => (waiter.ProjectId, queue)))
            .Distinct()
            .ToArray();
        var (due, pause) = await CountDueAsync(connection, wanted, waiting.Length, cancellationToken);
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

        return pause;
    }

    /// <returns>How many jobs of each may begin, and when there may be more without a signal.</returns>
    private static async Task<(Dictionary<(Guid, string), long>, TimeSpan)> CountDueAsync(
        NpgsqlConnection connection,
        (Guid ProjectId, string Queue)[] wanted,
        int most,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(Sql.CountDue, connection)
        {
            Parameters =
            {
                new("ProjectIds", NpgsqlDbType.Array | NpgsqlDbType.Uuid)
                {
                    Value = wanted.Select(one => one.ProjectId).ToArray(),
                },
                new("Queues", NpgsqlDbType.Array | NpgsqlDbType.Text)
                {
                    Value = wanted.Select(one => one.Queue).ToArray(),
                },
                new("Limit", most),
            },
        };
        var due = new Dictionary<(Guid, string), long>();
        var pause = Pause;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            due[wanted[reader.GetInt64(0) - 1]] = reader.GetInt64(1);
            var room = TimeSpan.FromSeconds(reader.IsDBNull(2) ? Pause.TotalSeconds : reader.GetDouble(2));
            pause = room < pause ? room : pause;
        }

        return (due, pause < ShortestPause ? ShortestPause : pause);
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
        // engine-wide: on behalf of the workers of all projects. Of a queue with a limit no more are woken than may begin; where more are
        // due than that, the last column says after how many seconds to look again: when its rate has room for one more, or soon,
        // since nobody says that a job of it ended.
        public const string CountDue = """
            SELECT w.position,
                LEAST(due.count, running.room, rate.room)::bigint AS room,
                CASE
                    WHEN COALESCE(due.count <= LEAST(running.room, rate.room), true) THEN NULL
                    WHEN rate.room IS NULL OR running.room < rate.room THEN 0.1
                    WHEN rate.room > 0 THEN rate.pace
                    ELSE rate.wait
                END::float8 AS seconds
            FROM unnest(@ProjectIds::uuid[], @Queues::text[]) WITH ORDINALITY AS w(project_id, name, position)
            JOIN queues q ON q.project_id = w.project_id AND q.name = w.name AND q.deleted_at IS NULL
            CROSS JOIN LATERAL (
                SELECT count(*) AS count
                FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                CROSS JOIN LATERAL (
                    SELECT
                    FROM jobs j
                    WHERE j.state = 1 AND j.queue_id = q.queue_id AND j.priority = p.priority AND j.run_at <= now()
                    LIMIT @Limit
                ) AS job
            ) AS due
            CROSS JOIN LATERAL (
                SELECT CASE
                    WHEN q.max_running IS NOT NULL THEN
                        GREATEST(0, q.max_running - (SELECT count(*) FROM jobs j WHERE j.queue_id = q.queue_id AND j.state = 2))
                END AS room
            ) AS running
            LEFT JOIN LATERAL (
                SELECT GREATEST(0, floor(q.rate_burst - ahead.seconds / pace.seconds)) AS room, pace.seconds AS pace,
                    ahead.seconds - pace.seconds * (q.rate_burst - 1) AS wait
                FROM (SELECT q.rate_seconds::float8 / q.rate_count AS seconds) AS pace
                CROSS JOIN LATERAL (
                    SELECT COALESCE(GREATEST(0, extract(epoch FROM max(r.next_at) - now())), 0)::float8 AS seconds
                    FROM queue_rates r
                    WHERE r.project_id = q.project_id AND r.queue_id = q.queue_id
                ) AS ahead
            ) AS rate ON q.rate_count IS NOT NULL
            WHERE q.paused_at IS NULL AND q.served_by = 'workers'
            """;

        // engine-wide: jobs of all projects that are to be canceled, a few at any time
        public const string FindCanceled = """
            SELECT DISTINCT worker_id
            FROM jobs
            WHERE cancel_requested_at IS NOT NULL AND state = 2 AND claim_key IS NOT NULL
            """;
    }
}

/// <summary>A call that waits for something to do.</summary>
internal sealed class Waiter : IDisposable
{
    private readonly Action<Waiter> _leave;
    private readonly TimeProvider _clock;

    // swapped by its call alone, completed by the desk
    private volatile TaskCompletionSource _woken = New();

    public Waiter(
        Guid projectId,
        Guid workerId,
        IReadOnlyList<string> queues,
        int max,
        Action<Waiter> leave,
        TimeProvider clock
    )
    {
        (ProjectId, WorkerId, Queues, Max, _leave, _clock) = (projectId, workerId, queues, max, leave, clock);
        Place = new LinkedListNode<Waiter>(this);
    }

    public Guid ProjectId { get; }

    public Guid WorkerId { get; }

    public IReadOnlyList<string> Queues { get; }

    public int Max { get; }

    public LinkedListNode<Waiter> Place { get; }

    public void Park() => _woken = New();

    public void Wake() => _woken.TrySetResult();

    /// <summary>Waits until it is woken, or the time is over.</summary>
    public async Task WaitAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            await _woken.Task.WaitAsync(patience, _clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            // there was nothing
        }
    }

    public void Dispose() => _leave(this);

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
