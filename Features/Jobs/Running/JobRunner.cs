using System.Collections.Concurrent;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Claims due jobs for this process and executes them, as many at once as their queue has slots here.</summary>
/// <remarks>
/// One loop claims: at once after a signal or a claim that left something behind, else every 250 ms. The database going away ends
/// nothing. A stopping process claims no more, waits for what runs, then cancels it and gives it back with the attempt uncounted.
/// </remarks>
internal sealed partial class JobRunner(
    JobClaims claims,
    HeldJobs held,
    JobExecution execution,
    JobFinisher finisher,
    ExpiredLeases leases,
    QueueSignals signals,
    Notifications notifications,
    Settings settings,
    TimeProvider clock,
    ILogger<JobRunner> logger
) : BackgroundService
{
    private const int DefaultSlots = 20;
    private const int WebhookSlots = 200; // senders mostly wait for their receivers
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MaxAhead = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastCall = TimeSpan.FromSeconds(2);

    // the claim loop adds, executions look up their own
    private readonly ConcurrentDictionary<string, QueueSlots> _slots = new(StringComparer.Ordinal);

    // loops that execute, and one for the claim loop itself; whoever brings it to zero says that nothing runs any more
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly LogPace _pace = new(clock);
    private int _loops = 1;

    // set when it stops
    private volatile bool _isStopping;

    /// <summary>The one queue name it serves; null: all of them. To be set before it starts.</summary>
    public string? Only { get; set; }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _isStopping = true;
        await base.StopAsync(cancellationToken);
        signals.HasRoom = false;
        GiveBackAhead(_ => true);
        EndLoop();
        if (!await DrainAsync(TimeSpan.FromSeconds(settings.ShutdownGraceSeconds), cancellationToken))
        {
            foreach (var job in held.All)
            {
                job.Cancel();
            }

            await DrainAsync(LastCall, cancellationToken);
            // handlers deaf to cancellation: whatever they still do is fenced off
            foreach (var job in held.All)
            {
                GiveBack(job, hasBegun: true);
            }
        }
    }

    /// <summary>Takes a slot of the queue for a job that is about to be there; null: none is free. To be begun in, or freed.</summary>
    public QueueSlots? TryReserve(string queue)
    {
        Interlocked.Increment(ref _loops);
        // queues it has not yet claimed from have none
        if (!_isStopping && _slots.TryGetValue(queue, out var slots) && slots.TryReserve())
        {
            return slots;
        }

        EndLoop();
        return null;
    }

    /// <summary>Executes what has begun in a slot that was reserved, and then what was claimed ahead.</summary>
    public void Begin(QueueSlots slots, HeldJob job)
    {
        held.Add(job);
        _ = Task.Run(() => ExecuteAsync(slots, job), CancellationToken.None);
    }

    /// <summary>A slot that was reserved is for what was claimed ahead, if anything.</summary>
    public void Free(QueueSlots slots)
    {
        if (slots.Free(out var next))
        {
            EndLoop();
        }
        else
        {
            _ = Task.Run(() => ExecuteAsync(slots, next), CancellationToken.None);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string[] usual = [JobQueue.Default, JobQueue.Automations, JobQueue.Webhooks];
        foreach (var queue in Only is null ? usual : [Only])
        {
            SlotsOf(queue);
        }

        using var paused = QueueSignals.OnPaused(
            notifications,
            queueId => GiveBackAhead(job => queueId is null || job.Job.QueueId == queueId)
        );
        while (!stoppingToken.IsCancellationRequested)
        {
            var (claimAgain, patience) = (false, Patience);
            try
            {
                await leases.RescueNowAndThenAsync(stoppingToken);
                (claimAgain, patience) = await ClaimAsync();
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                Report(exception);
                await Task.Delay(Patience, clock, stoppingToken);
            }

            GiveBackAhead(job => clock.GetElapsedTime(job.ClaimedAt) > MaxAhead);
            if (!claimAgain)
            {
                await signals.WaitAsync(patience, stoppingToken);
            }
        }
    }

    /// <summary>Answers whether to claim again at once, and else after how long at most.</summary>
    private async Task<(bool ClaimAgain, TimeSpan Patience)> ClaimAsync()
    {
        var free = new List<KeyValuePair<string, int>>(_slots.Count);
        foreach (var (queue, slots) in _slots)
        {
            slots.BeginClaim();
            free.Add(new(queue, slots.Wanted));
        }

        signals.HasRoom = free.TrueForAll(pair => pair.Value > 0);
        var claim = await claims.TakeAsync(free, Only is null ? DefaultSlots : 0);
        if (claim.Fault is { } fault)
        {
            Report(fault);
        }

        foreach (var late in claim.Jobs.Where(job => job.IsLate && job.TryEnd()))
        {
            finisher.Post(late, JobOutcome.Expired.Instance, () => MakeRoom(late));
        }

        var byQueue = claim.Jobs.Where(job => !job.IsLate).ToLookup(job => job.Job.Queue);
        var claimAgain = claim.IsContended;
        foreach (var (queue, asked) in free)
        {
            claimAgain |= Take(queue, [.. byQueue[queue]], asked);
        }

        foreach (var queue in byQueue.Where(group => free.TrueForAll(pair => pair.Key != group.Key)))
        {
            claimAgain |= Take(queue.Key, [.. queue], DefaultSlots);
        }

        return (claimAgain, claim.Patience < Patience ? claim.Patience.Value : Patience);
    }

    private bool Take(string queue, HeldJob[] jobs, int asked)
    {
        foreach (var job in jobs)
        {
            held.Add(job);
        }

        var slots = SlotsOf(queue);
        var hasMore = jobs.Length == asked;
        foreach (var job in slots.Add(jobs, hasMore))
        {
            Interlocked.Increment(ref _loops);
            _ = Task.Run(() => ExecuteAsync(slots, job), CancellationToken.None);
        }

        return hasMore && slots.Wanted > 0;
    }

    /// <summary>Executes a job, and then what was claimed ahead, as long as there is some.</summary>
    private async Task ExecuteAsync(QueueSlots slots, HeldJob first)
    {
        for (var job = first; job is not null; )
        {
            var outcome = await execution.RunAsync(job);
            var isFinishing = End(job, outcome, slots);
            (job, var claimAgain) = slots.End(isFinishing);
            if (claimAgain)
            {
                signals.Wake();
            }
        }

        EndLoop();
    }

    /// <summary>Answers whether there is an end to store.</summary>
    private bool End(HeldJob job, JobOutcome outcome, QueueSlots slots)
    {
        if (!job.TryEnd())
        {
            return false; // given back while its handler would not end
        }

        if (outcome is JobOutcome.Settled)
        {
            held.Remove(job);
            MakeRoom(job);
            signals.Wake(); // what continues it may be there
            return false;
        }

        finisher.Post(
            job,
            outcome,
            () =>
            {
                slots.Finished();
                MakeRoom(job);
            }
        );
        return true;
    }

    /// <summary>Its row is not running any more: its queue may have a limit that leaves room now.</summary>
    private void MakeRoom(HeldJob job)
    {
        if (job.IsLimited)
        {
            claims.Freed(job.Job.QueueId);
            signals.Wake();
        }
    }

    private void GiveBackAhead(Func<HeldJob, bool> condition)
    {
        foreach (var slots in _slots.Values)
        {
            foreach (var job in slots.TakeAhead(condition))
            {
                GiveBack(job, hasBegun: false);
            }
        }
    }

    private void GiveBack(HeldJob job, bool hasBegun)
    {
        if (job.TryEnd())
        {
            finisher.Post(job, new JobOutcome.Released(TimeSpan.Zero) { HasBegun = hasBegun }, () => MakeRoom(job));
        }
    }

    private async Task<bool> DrainAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var waited = await Task.WhenAny(_drained.Task, Task.Delay(patience, clock, cancellationToken));
        return waited == _drained.Task;
    }

    private void EndLoop()
    {
        if (Interlocked.Decrement(ref _loops) == 0)
        {
            _drained.TrySetResult();
        }
    }

    private QueueSlots SlotsOf(string queue) =>
        _slots.GetOrAdd(queue, name => new QueueSlots(name == JobQueue.Webhooks ? WebhookSlots : DefaultSlots, clock));

    private void Report(Exception exception)
    {
        if (!_pace.IsDue())
        {
            return;
        }

        if (ExpectedErrors.IsOutage(exception))
        {
            NotClaiming(logger, exception.Message);
        }
        else
        {
            ClaimFailed(logger, exception);
        }
    }

    [LoggerMessage(LogLevel.Warning, "No jobs can be claimed ({Reason}); trying again four times a second.")]
    private static partial void NotClaiming(ILogger logger, string reason);

    [LoggerMessage(LogLevel.Error, "Claiming jobs failed; trying again four times a second.")]
    private static partial void ClaimFailed(ILogger logger, Exception exception);
}
