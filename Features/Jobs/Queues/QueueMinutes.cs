using System.Collections.Concurrent;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Dapper;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>What this process does for each queue, by the minute: counted in memory, stored every five seconds and when it stops.</summary>
/// <remarks>
/// Each process has rows of its own, so nobody waits for anybody, and a statement whose answer was lost may be repeated. A process
/// that is killed takes the counts of its last seconds with it: they are there to be looked at, the history is what holds.
/// </remarks>
internal sealed partial class QueueMinutes(Databases databases, TimeProvider clock, ILogger<QueueMinutes> logger)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    /// <summary>Nothing is counted for a minute that is over so long, and it need not be kept.</summary>
    private static readonly TimeSpan Settled = TimeSpan.FromMinutes(3);

    /// <summary>Of this process; a restart has another one.</summary>
    private readonly Guid _processId = Guid.CreateVersion7(clock.GetUtcNow());
    private readonly LogPace _pace = new(clock);

    // claims, executions, finishes and rescues add and count; whoever stores reads, and removes what is settled
    private readonly ConcurrentDictionary<(Guid ProjectId, long QueueId, DateTime Minute), Counts> _minutes = new();

    // one at a time: the beat, and whoever asks for it
    private readonly SemaphoreSlim _storing = new(1, 1);

    /// <param name="waitedSeconds">Since it was due.</param>
    public void CountStarted(ClaimedJob job, double waitedSeconds) =>
        Count(
            job.ProjectId,
            job.QueueId,
            counts => (counts.Started, counts.WaitSeconds) = (counts.Started + 1, counts.WaitSeconds + waitedSeconds)
        );

    public void CountRun(ClaimedJob job, TimeSpan elapsed) =>
        Count(job.ProjectId, job.QueueId, counts => counts.RunSeconds += elapsed.TotalSeconds);

    /// <param name="outcome">As the metrics say it; others are not counted.</param>
    public void CountEnded(ClaimedJob job, string outcome) =>
        Count(
            job.ProjectId,
            job.QueueId,
            counts =>
            {
                switch (outcome)
                {
                    case "succeeded":
                        counts.Succeeded++;
                        break;
                    case "failed":
                        counts.Failed++;
                        break;
                    case "retried":
                        counts.Retried++;
                        break;
                    case "released":
                        counts.Released++;
                        break;
                }
            }
        );

    /// <summary>Leases of its jobs ended without a word.</summary>
    public void CountLost(Guid projectId, long queueId, int jobs) =>
        Count(projectId, queueId, counts => counts.Lost += jobs);

    /// <summary>Stores what was counted since the last time.</summary>
    public async Task StoreAsync(CancellationToken cancellationToken)
    {
        await _storing.WaitAsync(cancellationToken);
        try
        {
            var over = clock.GetUtcNow().UtcDateTime - Settled;
            var rows = new List<(Counts Of, Counts Copy)>();
            foreach (var (key, counts) in _minutes)
            {
                if (counts.TakeChanged() is { } copy)
                {
                    rows.Add((counts, copy));
                }
                else if (key.Minute < over)
                {
                    _minutes.TryRemove(key, out _);
                }
            }

            try
            {
                await WriteAsync([.. rows.Select(row => row.Copy)], cancellationToken);
            }
            catch
            {
                rows.ForEach(row => row.Of.Change());
                throw;
            }
        }
        finally
        {
            _storing.Release();
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await TryStoreAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _storing.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            await TryStoreAsync(stoppingToken);
        }
    }

    private async Task TryStoreAsync(CancellationToken cancellationToken)
    {
        try
        {
            await StoreAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            if (_pace.IsDue())
            {
                NotStored(logger, exception.Message);
            }
        }
    }

    private void Count(Guid projectId, long queueId, Action<Counts> change)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var minute = now.AddTicks(-(now.Ticks % Minute.Ticks));
        var counts = _minutes.GetOrAdd((projectId, queueId, minute), key => new Counts { Key = key });
        lock (counts.Gate)
        {
            change(counts);
            counts.Change();
        }
    }

    private async Task WriteAsync(Counts[] rows, CancellationToken cancellationToken)
    {
        if (rows.Length == 0)
        {
            return;
        }

        var arguments = new
        {
            ProcessId = _processId,
            ProjectIds = Array.ConvertAll(rows, row => row.Key.ProjectId),
            QueueIds = Array.ConvertAll(rows, row => row.Key.QueueId),
            Minutes = Array.ConvertAll(rows, row => row.Key.Minute),
            Started = Array.ConvertAll(rows, row => row.Started),
            Succeeded = Array.ConvertAll(rows, row => row.Succeeded),
            Failed = Array.ConvertAll(rows, row => row.Failed),
            Retried = Array.ConvertAll(rows, row => row.Retried),
            Released = Array.ConvertAll(rows, row => row.Released),
            Lost = Array.ConvertAll(rows, row => row.Lost),
            WaitSeconds = Array.ConvertAll(rows, row => row.WaitSeconds),
            RunSeconds = Array.ConvertAll(rows, row => row.RunSeconds),
        };
        await using var connection = await databases.Main.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(Sql.Store.With(arguments, cancellationToken));
    }

    [LoggerMessage(LogLevel.Warning, "What queues did could not be stored ({Reason}); it is kept and tried again.")]
    private static partial void NotStored(ILogger logger, string reason);

    /// <summary>Of one queue in one minute; everything under its own lock.</summary>
    private sealed class Counts
    {
        public Lock Gate { get; } = new();

        public (Guid ProjectId, long QueueId, DateTime Minute) Key { get; init; }

        private bool IsChanged { get; set; }

        public int Started { get; set; }

        public int Succeeded { get; set; }

        public int Failed { get; set; }

        public int Retried { get; set; }

        public int Released { get; set; }

        public int Lost { get; set; }

        public double WaitSeconds { get; set; }

        public double RunSeconds { get; set; }

        /// <summary>It is not stored as it is.</summary>
        public void Change()
        {
            lock (Gate)
            {
                IsChanged = true;
            }
        }

        /// <summary>As it is now, where it is not stored so.</summary>
        public Counts? TakeChanged()
        {
            lock (Gate)
            {
                if (!IsChanged)
                {
                    return null;
                }

                IsChanged = false;
                return (Counts)MemberwiseClone();
            }
        }
    }

    private static class Sql
    {
        // what was counted only grows: the greater one is the later one
        public const string Store = """
            INSERT INTO queue_minutes AS m (
                project_id, queue_id, minute, process_id, started, succeeded, failed, retried, released, lost, wait_seconds, run_seconds
            )
            SELECT c.project_id, c.queue_id, c.minute, @ProcessId, c.started, c.succeeded, c.failed, c.retried, c.released, c.lost,
                c.wait_seconds, c.run_seconds
            FROM unnest(
                @ProjectIds::uuid[], @QueueIds::bigint[], @Minutes::timestamptz[], @Started::integer[], @Succeeded::integer[],
                @Failed::integer[], @Retried::integer[], @Released::integer[], @Lost::integer[], @WaitSeconds::float8[],
                @RunSeconds::float8[]
            ) AS c(
                project_id, queue_id, minute, started, succeeded, failed, retried, released, lost, wait_seconds, run_seconds
            )
            ORDER BY c.project_id, c.queue_id, c.minute
            ON CONFLICT (project_id, queue_id, minute, process_id) DO UPDATE
            SET started = GREATEST(m.started, EXCLUDED.started), succeeded = GREATEST(m.succeeded, EXCLUDED.succeeded),
                failed = GREATEST(m.failed, EXCLUDED.failed), retried = GREATEST(m.retried, EXCLUDED.retried),
                released = GREATEST(m.released, EXCLUDED.released), lost = GREATEST(m.lost, EXCLUDED.lost),
                wait_seconds = GREATEST(m.wait_seconds, EXCLUDED.wait_seconds),
                run_seconds = GREATEST(m.run_seconds, EXCLUDED.run_seconds)
            """;
    }
}
