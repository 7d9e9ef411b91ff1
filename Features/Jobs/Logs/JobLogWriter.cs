using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Npgsql;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>Stores what the handlers of this process write to the logs of their jobs, four times a second and when one ends.</summary>
/// <remarks>
/// One statement stores the lines of many executions; what arrives while it runs goes with the next. In an outage lines wait, as many
/// as are bounded for each execution, and are tried again. Lines of a claim that is no longer the job's are dropped.
/// </remarks>
public sealed partial class JobLogWriter(NpgsqlDataSource database, TimeProvider clock, ILogger<JobLogWriter> logger)
    : BackgroundService
{
    private const int MaxJobs = 200;
    private const int MaxLines = 500; // of one execution in a statement
    private const int MaxLinesInAll = 2_000;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();

    // under the lock: whoever has lines that wait, and who waits for those to be stored
    private readonly Dictionary<PendingLines, TaskCompletionSource?> _waiting = [];

    // raised by those who cannot wait, taken by the one loop
    private readonly SemaphoreSlim _poked = new(0, 1);
    private readonly LogPace _pace = new(clock);

    /// <summary>Stores what there is once more: the runner has stopped before.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await StoreAllAsync();
    }

    public override void Dispose()
    {
        _poked.Dispose();
        base.Dispose();
    }

    internal void Add(PendingLines lines, WrittenLine line)
    {
        lines.Add(line);
        lock (_lock)
        {
            _waiting.TryAdd(lines, null);
        }

        if (lines.IsHalfFull)
        {
            Poke();
        }
    }

    internal async Task EndAsync(PendingLines lines)
    {
        Task stored;
        lock (_lock)
        {
            if (!_waiting.TryGetValue(lines, out var waiter))
            {
                return;
            }

            _waiting[lines] = waiter ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            stored = waiter.Task;
        }

        Poke();
        try
        {
            await stored.WaitAsync(Patience, clock);
        }
        catch (TimeoutException)
        {
            lock (_lock)
            {
                _waiting.Remove(lines); // the end is not kept waiting for them
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            using var due = new CancellationTokenSource(Interval, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(due.Token, stoppingToken);
            try
            {
                await _poked.WaitAsync(either.Token);
            }
            catch (OperationCanceledException)
            {
                // nobody poked
            }

            if (!await StoreAllAsync())
            {
                await Task.Delay(Interval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Stores what there is by now; answers whether the database took it.</summary>
    private async Task<bool> StoreAllAsync()
    {
        Queue<PendingLines> round;
        lock (_lock)
        {
            round = new Queue<PendingLines>(_waiting.Keys);
        }

        while (round.Count > 0)
        {
            var waiting = Take(round);
            if (!await StoreAsync(waiting))
            {
                return false;
            }

            foreach (var one in waiting.Where(one => one.Written.Lines.Count >= MaxLines))
            {
                round.Enqueue(one.Lines); // there may be more, behind what others have
            }
        }

        return true;
    }

    private static List<(PendingLines Lines, WrittenLines Written)> Take(Queue<PendingLines> round)
    {
        var taken = new List<(PendingLines, WrittenLines)>();
        for (var room = MaxLinesInAll; room >= MaxLines && taken.Count < MaxJobs && round.TryDequeue(out var lines); )
        {
            var written = lines.Look(MaxLines);
            room -= written.Lines.Count;
            taken.Add((lines, written));
        }

        return taken;
    }

    private async Task<bool> StoreAsync(List<(PendingLines Lines, WrittenLines Written)> waiting)
    {
        try
        {
            await using var connection = await database.OpenConnectionAsync();
            var next = await JobLogStore.AppendAsync(
                connection,
                [.. waiting.Select(one => one.Written)],
                CancellationToken.None
            );
            Settle(waiting, index => next[index]);
            return true;
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            if (_pace.IsDue())
            {
                NotStored(logger, waiting.Count, exception.Message);
            }

            return false;
        }
        catch (PostgresException exception)
        {
            // of several one may be to blame; alone it is dropped, and keeps nobody waiting
            if (waiting.Count > 1)
            {
                foreach (var one in waiting)
                {
                    await StoreAsync([one]);
                }
            }
            else
            {
                Refused(logger, exception, waiting[0].Written.JobId);
                Settle(waiting, _ => null);
            }

            return true;
        }
    }

    private void Settle(List<(PendingLines Lines, WrittenLines Written)> waiting, Func<int, int?> next)
    {
        for (var index = 0; index < waiting.Count; index++)
        {
            var lines = waiting[index].Lines;
            lines.Stored(next(index));
            lock (_lock)
            {
                if (lines.IsEmpty && _waiting.Remove(lines, out var waiter))
                {
                    waiter?.SetResult();
                }
            }
        }
    }

    private void Poke()
    {
        lock (_lock)
        {
            if (_poked.CurrentCount == 0)
            {
                _poked.Release();
            }
        }
    }

    [LoggerMessage(
        LogLevel.Warning,
        "The log lines of {Count} jobs could not be stored ({Reason}); they are tried again for as long as the jobs run."
    )]
    private static partial void NotStored(ILogger logger, int count, string reason);

    [LoggerMessage(LogLevel.Error, "The database refused log lines of job {JobId}; they are dropped.")]
    private static partial void Refused(ILogger logger, Exception exception, Guid jobId);
}
