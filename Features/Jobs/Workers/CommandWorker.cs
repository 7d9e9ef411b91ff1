using System.Collections.Concurrent;
using System.ComponentModel;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>A remote worker that runs a program for each job, several at once.</summary>
/// <remarks>
/// It claims no more than it has free slots, beats every three seconds at the latest, and stops a program (SIGTERM, SIGKILL after five
/// seconds) when its job is cancelled, lost, over its time, or when nobody has extended its lease in time. Ends are told again until there
/// is an answer, for a minute after the lease. What a program writes to its standard error is in the job's log while it runs.
/// </remarks>
internal sealed class CommandWorker(
    WorkerClient client,
    string queue,
    int slots,
    IReadOnlyList<string> command,
    TimeProvider clock,
    Action<string> tell
) : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan TellFor = TimeSpan.FromMinutes(1);

    private readonly WorkerDocument _worker = new(
        Guid.CreateVersion7(),
        "bellhop worker exec",
        null,
        Environment.MachineName
    );

    // by lease: added by the loop that claims, taken away by what executes
    private readonly ConcurrentDictionary<string, HeldWork> _held = new(StringComparer.Ordinal);

    private readonly SemaphoreSlim _freed = new(0);

    // the last that the service said, to either loop
    private volatile string _directive = Directive.Run;

    /// <summary>Works until it is cancelled or told to stop; then it releases what it holds.</summary>
    /// <returns>Why the service will not have it; null where it ended as it should.</returns>
    public async Task<Problem?> RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var beats = new CancellationTokenSource();
        var beating = BeatAsync(stop, beats.Token);
        Problem? refusal = null;
        try
        {
            refusal = await ClaimAsync(stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // that was enough
        }

        var held = _held.Values.ToArray();
        foreach (var job in held)
        {
            job.Stop(new EndDocument(job.Id, job.Lease, "released"));
        }

        await Task.WhenAll(held.Select(job => job.Done));
        await beats.CancelAsync();
        await beating;
        return refusal;
    }

    public void Dispose() => _freed.Dispose();

    private async Task<Problem?> ClaimAsync(CancellationToken cancellationToken)
    {
        Guid? key = null;
        while (_directive != Directive.Stop)
        {
            var free = slots - _held.Count;
            if (free == 0 || _directive == Directive.Quiet)
            {
                await _freed.WaitAsync(Tick, cancellationToken);
                continue;
            }

            key ??= Guid.NewGuid(); // the same until there is an answer
            var said = await client.ClaimAsync(
                new ClaimDocument(_worker, key, [new ClaimedQueue(queue)], Math.Min(free, ClaimRules.MaxJobs), 30),
                cancellationToken
            );
            if (said.Answer is not { } claim)
            {
                if (said.IsRefusal)
                {
                    return said.Fault;
                }

                tell($"claim: {said.Fault!.Detail}");
                await Task.Delay(said.RetryAfter ?? TimeSpan.FromSeconds(1), clock, cancellationToken);
                continue;
            }

            key = null;
            _directive = claim.Directive;
            foreach (var signal in claim.Signals)
            {
                if (_held.TryGetValue(signal.Lease, out var job))
                {
                    job.Stop(new EndDocument(job.Id, job.Lease, "canceled"));
                }
            }

            foreach (var work in claim.Jobs)
            {
                var job = new HeldWork(work, clock);
                _held[job.Lease] = job;
                job.Done = Task.Run(() => ExecuteAsync(job, work), CancellationToken.None);
            }

            await Task.Delay(TimeSpan.FromSeconds(claim.RetryInSeconds), clock, cancellationToken);
        }

        return null;
    }

    private async Task BeatAsync(CancellationTokenSource stop, CancellationToken cancellationToken)
    {
        try
        {
            var due = clock.GetTimestamp();
            using var timer = new PeriodicTimer(Tick, clock);
            var sending = Task.CompletedTask;
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                foreach (var job in _held.Values)
                {
                    job.Check();
                }

                var isDue = clock.GetElapsedTime(due) >= Beat && sending.IsCompleted;
                if (isDue && (!_held.IsEmpty || _directive == Directive.Quiet))
                {
                    due = clock.GetTimestamp();
                    sending = SendBeatAsync(stop, cancellationToken);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // nothing is held any more
        }
    }

    private async Task SendBeatAsync(CancellationTokenSource stop, CancellationToken cancellationToken)
    {
        try
        {
            var sent = clock.GetTimestamp();
            var beats = _held.Values.Select(job => new BeatDocument(job.Id, job.Lease)).ToArray();
            var said = await client.BeatAsync(new HeartbeatDocument(_worker, beats), cancellationToken);
            if (said.Answer is not { } answer)
            {
                tell($"heartbeat: {said.Fault!.Detail}");
                return;
            }

            foreach (var (beat, view) in beats.Zip(answer.Jobs))
            {
                if (_held.TryGetValue(beat.Lease!, out var job))
                {
                    job.Hear(view, sent);
                }
            }

            _directive = answer.Directive;
            if (answer.Directive == Directive.Stop)
            {
                await stop.CancelAsync();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // nothing is held any more
        }
    }

    private async Task ExecuteAsync(HeldWork job, WorkView work)
    {
        var log = new ProgramLog(client, job.Id, job.Lease, clock, tell);
        using var running = new CancellationTokenSource();
        var sending = log.SendAsync(running.Token);
        EndDocument end;
        try
        {
            var start = WorkProgram.StartOf(command, work, log.Add);
            end = WorkProgram.Judge(work, await ChildProgram.RunAsync(start, clock, job.Stopped));
        }
        catch (OperationCanceledException) when (job.Stopped.IsCancellationRequested)
        {
            end = job.End!;
        }
        catch (Exception exception) when (exception is Win32Exception or IOException)
        {
            end = new EndDocument(
                job.Id,
                job.Lease,
                "failed",
                Error: new EndError("not_started", $"The command could not be started: {exception.Message}")
            );
        }

        await running.CancelAsync();
        await sending;
        if (!job.IsLost)
        {
            await FinishAsync(job, end with { Logs = await log.EndAsync() });
        }

        _held.TryRemove(job.Lease, out _);
        _freed.Release();
        job.Dispose();
    }

    /// <summary>Until there is an answer, whatever it is: duplicate is as good as accepted, and lease_lost the end of it too.</summary>
    private async Task FinishAsync(HeldWork job, EndDocument end)
    {
        for (var pause = TimeSpan.FromSeconds(0.2); job.IsWithin(TellFor); pause = Longer(pause))
        {
            var said = await client.FinishAsync(end, CancellationToken.None);
            var isUnfit = said.Answer?.Results is [{ Status: "invalid", Problem.Status: 422 }];
            if (isUnfit && end.Result is not null)
            {
                end = end with { Result = null };
            }
            else if (said.Answer is not null || said.IsRefusal)
            {
                return;
            }
            else
            {
                tell($"finish: {said.Fault!.Detail}");
                await Task.Delay(said.RetryAfter ?? pause, clock);
            }
        }
    }

    private static TimeSpan Longer(TimeSpan pause) => TimeSpan.FromSeconds(Math.Min(2 * pause.TotalSeconds, 5));
}
