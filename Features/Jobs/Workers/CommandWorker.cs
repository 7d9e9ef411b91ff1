using System.Collections;
using System.Collections.Concurrent;
using System.ComponentModel;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>A remote worker that runs a program for each job, several at once.</summary>
/// <remarks>
/// It claims no more than it has free slots, beats every three seconds at the latest, and stops a program (SIGTERM, SIGKILL after five
/// seconds) when its job is cancelled, lost, over its time, or when nobody has extended its lease in time. Ends are told again until there
/// is an answer, for a minute after the lease. The program gets this process's environment, without what is Bellhop's, and its job's id.
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
    private const int Snooze = 75; // EX_TEMPFAIL of sysexits.h
    private const int MaxResultBytes = 256 * 1024;
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
    private readonly ConcurrentDictionary<string, Held> _held = new(StringComparer.Ordinal);

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
                var job = new Held(work, clock);
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

    private async Task ExecuteAsync(Held job, WorkView work)
    {
        EndDocument end;
        try
        {
            var start = new ProgramStart(
                command[0],
                [.. command.Skip(1)],
                EnvironmentOf(work),
                Environment.CurrentDirectory,
                Encoding.UTF8.GetBytes(work.Args.GetRawText())
            )
            {
                MaxOutputBytes = 2 * MaxResultBytes,
            };
            end = Judge(work, await ChildProgram.RunAsync(start, clock, job.Stopped));
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

        if (!job.IsLost)
        {
            await FinishAsync(job, end);
        }

        _held.TryRemove(job.Lease, out _);
        _freed.Release();
        job.Dispose();
    }

    /// <summary>Until there is an answer, whatever it is: duplicate is as good as accepted, and lease_lost the end of it too.</summary>
    private async Task FinishAsync(Held job, EndDocument end)
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

    private static Dictionary<string, string> EnvironmentOf(WorkView work)
    {
        string[] ours = ["BELLHOP_", "Bellhop__", "ConnectionStrings__"];
        var environment = Environment
            .GetEnvironmentVariables()
            .Cast<DictionaryEntry>()
            .Select(pair => (Name: (string)pair.Key, Value: (string?)pair.Value ?? ""))
            .Where(pair => !ours.Any(prefix => pair.Name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
            .ToDictionary(pair => pair.Name, pair => pair.Value, StringComparer.Ordinal);
        environment["BELLHOP_JOB_ID"] = $"{work.Id}";
        environment["BELLHOP_KIND"] = work.Kind;
        environment["BELLHOP_ATTEMPT"] = work.Attempt.ToString(CultureInfo.InvariantCulture);
        environment["BELLHOP_CLAIM_NO"] = work.Fence.ToString(CultureInfo.InvariantCulture);
        return environment;
    }

    private static EndDocument Judge(WorkView work, ProgramEnd end)
    {
        switch (end.ExitCode)
        {
            case 0:
                return new EndDocument(work.Id, work.Lease, "succeeded", ResultOf(end.Output));
            case Snooze:
                return new EndDocument(work.Id, work.Lease, "snoozed", DelaySeconds: 60);
            default:
                var said = end.Errors.ToText(1_000).Trim();
                var code = string.Create(CultureInfo.InvariantCulture, $"exit_{end.ExitCode}");
                var message = $"The command ended with exit code {end.ExitCode}: {said}".TrimEnd(' ', ':');
                return new EndDocument(work.Id, work.Lease, "failed", Error: new EndError(code, message));
        }
    }

    private static JsonElement? ResultOf(ProgramOutput output)
    {
        if (output.Length is 0 or > MaxResultBytes)
        {
            return null;
        }

        try
        {
            return JsonElement.Parse(
                output.ToText(2 * MaxResultBytes),
                new JsonDocumentOptions { MaxDepth = JsonRules.MaxDepth }
            );
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>A job in this worker's hands. The first who says that its program is to stop says how it ended.</summary>
    private sealed class Held(WorkView work, TimeProvider clock) : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Lock _lock = new();
        private readonly long _began = clock.GetTimestamp();
        private long _from = clock.GetTimestamp();
        private int _leaseSeconds = work.LeaseSeconds;
        private bool _isOver;

        public Guid Id { get; } = work.Id;

        public string Lease { get; } = work.Lease;

        public Task Done { get; set; } = Task.CompletedTask;

        public CancellationToken Stopped => _stop.Token;

        public EndDocument? End { get; private set; }

        public bool IsLost { get; private set; }

        /// <summary>Whether no more than that has passed since the lease ended.</summary>
        public bool IsWithin(TimeSpan time) =>
            clock.GetElapsedTime(Interlocked.Read(ref _from)) < TimeSpan.FromSeconds(_leaseSeconds) + time;

        public void Check()
        {
            if (!IsWithin(TimeSpan.Zero))
            {
                Lose();
            }
            else if (work.DeadlineSeconds is { } seconds && clock.GetElapsedTime(_began).TotalSeconds > seconds)
            {
                Overrun();
            }
        }

        public void Hear(BeatView view, long sent)
        {
            if (view.LeaseSeconds is { } seconds)
            {
                _leaseSeconds = seconds;
                Interlocked.Exchange(ref _from, sent);
            }

            switch (view.Status)
            {
                case "cancel":
                    Stop(new EndDocument(Id, Lease, "canceled"));
                    break;
                case "deadline":
                    Overrun();
                    break;
                case "lost":
                    Lose();
                    break;
            }
        }

        public void Stop(EndDocument? end)
        {
            lock (_lock)
            {
                if (!_isOver && !_stop.IsCancellationRequested)
                {
                    End = end;
                    IsLost = end is null;
                    _ = _stop.CancelAsync(); // not here: what is told must not wait for who listens
                }
            }
        }

        public void Dispose()
        {
            lock (_lock)
            {
                _isOver = true;
                _stop.Dispose();
            }
        }

        private void Lose() => Stop(null);

        private void Overrun() =>
            Stop(new EndDocument(Id, Lease, "failed", Error: new EndError("deadline", "The command took too long.")));
    }
}
