using System.Text.Json;
using System.Text.Json.Nodes;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs.Workers.Checking;

/// <summary>What a worker did that it should not have, or did not do.</summary>
internal sealed class RuleBroken(string seen) : Exception(seen);

/// <summary>The service as the conformance kit plays it: a queue in memory, and answers as the rule wants them.</summary>
/// <remarks>Everything is under one lock: touched by the requests of the worker, and by the rule that is played.</remarks>
internal sealed class CheckStage(Uri url, TimeProvider clock)
{
    public const string Queue = "check";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan LongestPark = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly long _began = clock.GetTimestamp();
    private readonly Queue<CheckedJob> _offers = new();
    private readonly List<CheckedJob> _jobs = [];
    private readonly List<(TimeSpan At, int Max)> _claims = [];
    private readonly List<string> _faults = [];

    public TimeSpan Now => clock.GetElapsedTime(_began);

    /// <summary>How many it takes at once: what it asked for first.</summary>
    public int Slots { get; private set; }

    public string Directive { get; set; } = Workers.Directive.Run;

    /// <summary>Whether answers hold members that nobody has heard of.</summary>
    public bool IsStrange { get; set; }

    /// <summary>Instead of an answer to a claim, once it is known what the answer would be; null: the answer.</summary>
    public Func<Guid, IReadOnlyList<CheckedJob>, Fault?>? OnClaim { get; set; }

    /// <summary>Claims so far; a rule looks at those after a moment.</summary>
    public IReadOnlyList<(TimeSpan At, int Max)> Claims => _claims;

    /// <summary>When the worker said anything last.</summary>
    public TimeSpan HeardAt { get; private set; }

    public T Look<T>(Func<T> look)
    {
        lock (_lock)
        {
            return look();
        }
    }

    public CheckedJob Offer(CheckedJob job)
    {
        lock (_lock)
        {
            _offers.Enqueue(job);
            _jobs.Add(job);
            return job;
        }
    }

    /// <summary>Waits for something; when it does not come, the rule is broken.</summary>
    public async Task UntilAsync(
        Func<bool> condition,
        double seconds,
        string missing,
        CancellationToken cancellationToken
    )
    {
        var until = Now + TimeSpan.FromSeconds(seconds);
        while (!Look(condition))
        {
            if (Now > until)
            {
                throw new RuleBroken(missing);
            }

            await Task.Delay(Pause, clock, cancellationToken);
        }
    }

    /// <summary>Waits for as long, in which something must not happen.</summary>
    public async Task NeverAsync(Func<string?> happens, double seconds, CancellationToken cancellationToken)
    {
        for (var until = Now + TimeSpan.FromSeconds(seconds); Now < until; )
        {
            if (Look(happens) is { } seen)
            {
                throw new RuleBroken(seen);
            }

            await Task.Delay(Pause, clock, cancellationToken);
        }
    }

    /// <summary>Until it asks for as many as it takes, from now on.</summary>
    public Task BeFreeAsync(double seconds, CancellationToken cancellationToken)
    {
        var since = Now;
        return UntilAsync(
            () => _claims.Any(claim => claim.At > since && claim.Max >= Slots),
            seconds,
            $"it did not ask for a job again within {seconds:0} s",
            cancellationToken
        );
    }

    /// <summary>For the next rule: nothing is offered, and what the worker holds is lost.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _offers.Clear();
            _jobs.ForEach(job => (job.IsOver, job.OnBeat, job.OnEnd) = (true, null, null));
            _faults.Clear();
            (OnClaim, IsStrange) = (null, false);
            Directive = Workers.Directive.Run;
        }
    }

    /// <summary>What of its requests was not as the protocol has it.</summary>
    public IReadOnlyList<string> TakeFaults() => Look<string[]>(() => [.. _faults]);

    public void Note(string fault)
    {
        lock (_lock)
        {
            _faults.Add(fault);
        }
    }

    public CheckedJob? Find(Guid? id, string? lease) =>
        Look(() => _jobs.Find(job => job.Id == id && job.Lease == lease));

    public void Effect(Guid id)
    {
        lock (_lock)
        {
            if (_jobs.Find(job => job.Id == id) is { } job)
            {
                job.EffectAt ??= Now;
            }
        }
    }

    public async Task<object> ClaimAsync(ClaimDocument claim, CancellationToken cancellationToken)
    {
        var until = Now + TimeSpan.FromSeconds(Math.Min(claim.WaitSeconds, LongestPark.TotalSeconds));
        lock (_lock)
        {
            HeardAt = Now;
            Slots = Slots == 0 ? claim.Max : Slots;
            _claims.Add((Now, claim.Max));
        }

        while (true)
        {
            if (TakeFor(claim, Now >= until) is { } answer)
            {
                return answer;
            }

            await Task.Delay(Pause, clock, cancellationToken);
        }
    }

    public object Beat(HeartbeatDocument beat)
    {
        lock (_lock)
        {
            HeardAt = Now;
            var views = new List<BeatView>();
            foreach (var one in beat.Jobs ?? [])
            {
                var job = _jobs.Find(job => job.Id == one.Id && job.Lease == one.Lease);
                job?.Beats.Add(Now);
                var said = job is null || (job.IsOver && job.Ends.Count == 0) ? "lost" : job.OnBeat?.Invoke() ?? "ok";
                if (said is Fault fault)
                {
                    return fault;
                }

                var status = (string)said;
                views.Add(
                    new BeatView(one.Id!.Value, status, status is "ok" or "cancel" ? CheckedJob.LeaseSeconds : null)
                );
            }

            return Dress(new HeartbeatView(views, Directive, 2), "jobs");
        }
    }

    public object End(IReadOnlyList<EndDocument> ends)
    {
        lock (_lock)
        {
            HeardAt = Now;
            var views = new List<EndView>();
            foreach (var end in ends)
            {
                var job = _jobs.Find(job => job.Id == end.Id && job.Lease == end.Lease);
                if (job is null)
                {
                    _faults.Add($"it ended a job by a lease that it was never given ({end.Id})");
                }

                job?.Ends.Add((Now, end));
                var said =
                    job is null ? "lease_lost"
                    : job.OnEnd is { } decide ? decide()
                    : job.IsOver ? "duplicate"
                    : "accepted";
                if (said is Fault fault)
                {
                    return fault;
                }

                job?.IsOver = true;
                views.Add(new EndView(end.Id, (string)said!, null));
            }

            return Dress(new FinishView(views), "results");
        }
    }

    public string ArgsOf(CheckedJob job) =>
        JsonSerializer.Serialize(
            new { seconds = job.Seconds, effect = $"{url.AbsoluteUri.TrimEnd('/')}/effects/{job.Id}" },
            JsonRules.Options
        );

    private object? TakeFor(ClaimDocument claim, bool isLast)
    {
        lock (_lock)
        {
            var key = claim.ClaimKey!.Value;
            var jobs = _jobs.FindAll(job => job.ClaimKey == key);
            while (jobs.Count == 0 || jobs.Count < claim.Max)
            {
                if (Directive != Workers.Directive.Run || jobs.Exists(job => job.TakenAt < Now) || _offers.Count == 0)
                {
                    break;
                }

                var job = _offers.Dequeue();
                (job.ClaimKey, job.TakenAt) = (key, null);
                jobs.Add(job);
            }

            if (OnClaim?.Invoke(key, jobs) is { } fault)
            {
                return fault;
            }

            if (jobs.Count == 0 && !isLast && Directive == Workers.Directive.Run)
            {
                return null;
            }

            jobs.ForEach(job => job.TakenAt ??= Now);
            var retryInSeconds = Directive == Workers.Directive.Run ? 0 : 2;
            var view = new ClaimView([.. jobs.Select(Show)], [], Directive, retryInSeconds);
            return Dress(view, "jobs");
        }
    }

    private WorkView Show(CheckedJob job) =>
        new(
            job.Id,
            job.Lease,
            CheckedJob.LeaseSeconds,
            "check",
            Queue,
            JsonElement.Parse(ArgsOf(job)),
            1,
            20,
            job.DeadlineSeconds,
            job.Id,
            1,
            null,
            0,
            null
        );

    private JsonObject Dress<T>(T view, string member)
    {
        var answer = JsonSerializer.SerializeToNode(view, JsonRules.Options)!.AsObject();
        if (IsStrange)
        {
            answer["check_hint"] = new JsonObject { ["of"] = new JsonArray(1, null, "two") };
            foreach (var item in answer[member]!.AsArray())
            {
                item!["check_hint"] = "nobody has heard of this yet";
            }
        }

        return answer;
    }
}
