namespace Bellhop.Features.Jobs.Workers.Checking;

/// <summary>A rule of the remote protocol, and how the conformance kit plays it.</summary>
/// <param name="Says">What a worker has to do.</param>
/// <param name="PlayAsync">Answers what was seen, and the job whose handler must have no effect any more; throws what was broken.</param>
internal sealed record CheckRule(
    string Name,
    string Says,
    Func<CheckStage, CancellationToken, Task<(string Seen, CheckedJob? Stopped)>> PlayAsync
);

/// <summary>The rules, in the order in which they are played: what the later ones need comes first, and the worker's end last.</summary>
internal static class CheckRules
{
    private const double Patience = 15;
    private const double Long = 8; // longer than a lease
    private const double Short = 5; // shorter than one, which would end it as well

    public static readonly IReadOnlyList<CheckRule> All =
    [
        new("works", "executes a job, and says so", WorksAsync),
        new("tolerates_unknown", "passes over members of answers that it does not know", ToleratesAsync),
        new("retries_claim", "sends a claim whose answer was lost again, with the same claim_key", RetriesClaimAsync),
        new("respects_slots", "asks for no more jobs than it has free slots", RespectsSlotsAsync),
        new("beats", "beats before a lease ends", BeatsAsync),
        new("honours_retry_after", "asks again after 429 and 503 when it is told to, not sooner", RetryAfterAsync),
        new("retries_finish", "says how a job ended until there is an answer; duplicate is one", RetriesFinishAsync),
        new("drops_lease_lost", "says nothing more of a job after lease_lost", DropsAsync),
        new("stops_canceled", "stops what is cancelled, and ends it as canceled", CancelAsync),
        new("stops_lost", "stops what is lost, and says nothing of it", LostAsync),
        new("stops_overdue", "stops what is over its deadline", DeadlineAsync),
        new("stops_unheard", "stops by itself when nobody has extended its lease in time", UnheardAsync),
        new("goes_quiet", "claims nothing while it is to be quiet, ends what runs, and goes on when told", QuietAsync),
        new("ends", "releases what runs when it is to stop, and is gone", StopAsync),
    ];

    private static async Task<(string, CheckedJob?)> WorksAsync(CheckStage stage, CancellationToken cancellationToken)
    {
        var job = stage.Offer(new CheckedJob(0));
        await EndedAsync(stage, job, "succeeded", Patience, cancellationToken);
        if (stage.Look(() => job.EffectAt) is null)
        {
            throw new RuleBroken("the job was ended without its handler: see how the command is to be run");
        }

        return ($"{stage.Slots} at once", null);
    }

    private static async Task<(string, CheckedJob?)> ToleratesAsync(
        CheckStage stage,
        CancellationToken cancellationToken
    )
    {
        stage.IsStrange = true;
        var job = stage.Offer(new CheckedJob(4));
        await EndedAsync(stage, job, "succeeded", Patience, cancellationToken);
        await stage.BeFreeAsync(Patience, cancellationToken);
        return ("in claims, heartbeats and ends", null);
    }

    private static async Task<(string, CheckedJob?)> RetriesClaimAsync(
        CheckStage stage,
        CancellationToken cancellationToken
    )
    {
        Guid? lost = null;
        Guid? next = null;
        stage.OnClaim = (key, jobs) =>
        {
            if (lost is null && jobs.Count > 0)
            {
                lost = key;
                return new Fault();
            }

            next ??= lost is null ? null : key;
            return null;
        };
        var job = stage.Offer(new CheckedJob(0));
        await stage.UntilAsync(() => next is not null, Patience, "it did not ask again", cancellationToken);
        if (next != lost)
        {
            throw new RuleBroken(
                "it asked again with another claim_key: the jobs of the lost answer wait for their lease to end"
            );
        }

        await EndedAsync(stage, job, "succeeded", Patience, cancellationToken);
        return ("the same claim_key, and the job was done", null);
    }

    private static async Task<(string, CheckedJob?)> RespectsSlotsAsync(
        CheckStage stage,
        CancellationToken cancellationToken
    )
    {
        await stage.BeFreeAsync(Patience, cancellationToken);
        var count = Math.Min(stage.Slots + 2, 12);
        var jobs = Enumerable.Range(0, count).Select(_ => stage.Offer(new CheckedJob(1.5))).ToArray();
        var most = 0;
        stage.OnClaim = (_, _) =>
        {
            var held = jobs.Count(job => job is { TakenAt: not null, Ends.Count: 0 });
            most = Math.Max(most, held + stage.Claims[^1].Max);
            return null;
        };
        foreach (var job in jobs)
        {
            await EndedAsync(stage, job, "succeeded", Patience + (1.5 * count), cancellationToken);
        }

        return most <= stage.Slots
            ? ($"{count} jobs, never more than {stage.Slots} held and asked for", null)
            : throw new RuleBroken($"with what it held it asked for {most}; its first claim said {stage.Slots}");
    }

    private static async Task<(string, CheckedJob?)> BeatsAsync(CheckStage stage, CancellationToken cancellationToken)
    {
        var job = stage.Offer(new CheckedJob(Long));
        await EndedAsync(stage, job, null, Patience + Long, cancellationToken);
        TimeSpan[] times = [job.TakenAt!.Value, .. job.Beats, job.Ends[0].At];
        var gap = times.Zip(times.Skip(1), (before, after) => after - before).Max().TotalSeconds;
        if (gap >= CheckedJob.LeaseSeconds)
        {
            throw new RuleBroken($"it was silent for {gap:0.0} s, and the lease is {CheckedJob.LeaseSeconds} s");
        }

        return job.Outcome == "succeeded"
            ? ($"at most {gap:0.0} s apart, with a lease of {CheckedJob.LeaseSeconds} s", null)
            : throw new RuleBroken($"the job ended as {job.Outcome}, while its lease was extended");
    }

    private static async Task<(string, CheckedJob?)> RetryAfterAsync(
        CheckStage stage,
        CancellationToken cancellationToken
    )
    {
        var seen = new List<string>();
        foreach (var (status, seconds) in new[] { (429, 3), (503, 2) })
        {
            TimeSpan? refused = null;
            TimeSpan? again = null;
            stage.OnClaim = (_, _) =>
            {
                again ??= refused is null ? null : stage.Now;
                if (refused is not null)
                {
                    return null;
                }

                refused = stage.Now;
                return new Fault(status, seconds);
            };
            await stage.UntilAsync(
                () => again is not null,
                2 * Patience,
                $"it did not come back after {status}",
                cancellationToken
            );
            var waited = (again!.Value - refused!.Value).TotalSeconds;
            if (waited < seconds - 0.2)
            {
                throw new RuleBroken($"it came back {waited:0.0} s after {status} with Retry-After: {seconds}");
            }

            seen.Add($"{waited:0.0} s after {status} with {seconds}");
        }

        return (string.Join(", ", seen), null);
    }

    private static async Task<(string, CheckedJob?)> RetriesFinishAsync(
        CheckStage stage,
        CancellationToken cancellationToken
    )
    {
        var job = new CheckedJob(0);
        job.OnEnd = () =>
            job.Ends.Count switch
            {
                1 => new Fault(),
                2 => new Fault(StatusCodes.Status503ServiceUnavailable, 1),
                _ => "duplicate",
            };
        stage.Offer(job);
        await stage.UntilAsync(
            () => job.Ends.Count >= 3,
            2 * Patience,
            "it gave up before there was an answer: the job runs again",
            cancellationToken
        );
        await stage.NeverAsync(
            () => job.Ends.Count > 3 ? "it went on after duplicate, which is a success" : null,
            2.5,
            cancellationToken
        );
        await stage.BeFreeAsync(Patience, cancellationToken);
        return job.Ends.All(end => end.End.Outcome == "succeeded")
            ? ("no answer, 503, duplicate: said three times", null)
            : throw new RuleBroken("it said something else when it was asked again");
    }

    private static async Task<(string, CheckedJob?)> DropsAsync(CheckStage stage, CancellationToken cancellationToken)
    {
        var job = stage.Offer(new CheckedJob(0) { OnEnd = () => "lease_lost" });
        await EndedAsync(stage, job, null, Patience, cancellationToken);
        await stage.NeverAsync(
            () => job.Ends.Count > 1 ? "it said so again after lease_lost" : null,
            3,
            cancellationToken
        );
        await stage.BeFreeAsync(Patience, cancellationToken);
        return ("said once", null);
    }

    private static async Task<(string, CheckedJob?)> CancelAsync(CheckStage stage, CancellationToken cancellationToken)
    {
        var job = stage.Offer(new CheckedJob(Long) { OnBeat = () => "cancel" });
        await EndedAsync(stage, job, "canceled", Long + Patience, cancellationToken);
        return ($"ended {job.Ends[0].At - job.Beats[0]:s\\.f} s after it was told", job);
    }

    private static async Task<(string, CheckedJob?)> LostAsync(CheckStage stage, CancellationToken cancellationToken)
    {
        var job = stage.Offer(new CheckedJob(Short) { OnBeat = () => "lost" });
        await stage.UntilAsync(() => job.Beats.Count > 0, Patience, "there was no beat", cancellationToken);
        await stage.BeFreeAsync(Long + Patience, cancellationToken);
        return stage.Look(() => job.Outcome) is { } outcome
            ? throw new RuleBroken($"it ended the job as {outcome}, which was another's by then")
            : ("dropped", job);
    }

    private static async Task<(string, CheckedJob?)> DeadlineAsync(
        CheckStage stage,
        CancellationToken cancellationToken
    )
    {
        var job = new CheckedJob(Long) { DeadlineSeconds = 2 };
        job.OnBeat = () => stage.Now - job.TakenAt > TimeSpan.FromSeconds(2) ? "deadline" : "ok";
        stage.Offer(job);
        await stage.UntilAsync(() => job.TakenAt is not null, Patience, "it did not claim", cancellationToken);
        await stage.BeFreeAsync(Long + Patience, cancellationToken);
        return stage.Look(() => job.Outcome) switch
        {
            "succeeded" => throw new RuleBroken("it went on to the end"),
            var outcome => (outcome ?? "dropped", job),
        };
    }

    private static async Task<(string, CheckedJob?)> UnheardAsync(CheckStage stage, CancellationToken cancellationToken)
    {
        var job = stage.Offer(new CheckedJob(2 * CheckedJob.LeaseSeconds) { OnBeat = () => new Fault() });
        await stage.UntilAsync(() => job.TakenAt is not null, Patience, "it did not claim", cancellationToken);
        await stage.BeFreeAsync((2 * CheckedJob.LeaseSeconds) + Patience, cancellationToken);
        return stage.Look(() => job.Outcome) == "succeeded"
            ? throw new RuleBroken("it went on to the end, while the job may have been another's")
            : ($"{job.Beats.Count} beats without an answer", job);
    }

    private static async Task<(string, CheckedJob?)> QuietAsync(CheckStage stage, CancellationToken cancellationToken)
    {
        await stage.BeFreeAsync(Patience, cancellationToken);
        var job = stage.Offer(new CheckedJob(5));
        await stage.UntilAsync(() => job.TakenAt is not null, Patience, "it did not claim", cancellationToken);
        stage.Directive = Directive.Quiet;
        await stage.UntilAsync(() => job.Beats.Count > 0, Patience, "there was no beat", cancellationToken);
        var told = stage.Now + TimeSpan.FromSeconds(2); // what was asked before it heard is on its way
        await EndedAsync(stage, job, "succeeded", Patience, cancellationToken);
        await stage.NeverAsync(
            () => stage.Claims.Any(claim => claim.At > told) ? "it claimed while it was to be quiet" : null,
            4,
            cancellationToken
        );
        stage.Directive = Directive.Run;
        await stage.BeFreeAsync(Patience, cancellationToken);
        return ("the job was done, nothing was claimed, and it went on", null);
    }

    private static async Task<(string, CheckedJob?)> StopAsync(CheckStage stage, CancellationToken cancellationToken)
    {
        var job = stage.Offer(new CheckedJob(Long));
        await stage.UntilAsync(() => job.TakenAt is not null, Patience, "it did not claim", cancellationToken);
        stage.Directive = Directive.Stop;
        await EndedAsync(stage, job, "released", Long + Patience, cancellationToken);
        var ended = stage.Now + TimeSpan.FromSeconds(1);
        await stage.NeverAsync(() => stage.HeardAt > ended ? "it is still there" : null, 4, cancellationToken);
        return ("released, and it was heard of no more", job);
    }

    /// <param name="outcome">Null: whatever it is.</param>
    private static async Task EndedAsync(
        CheckStage stage,
        CheckedJob job,
        string? outcome,
        double seconds,
        CancellationToken cancellationToken
    )
    {
        await stage.UntilAsync(() => job.TakenAt is not null, seconds, "it did not claim the job", cancellationToken);
        await stage.UntilAsync(
            () => job.Ends.Count > 0,
            seconds,
            "it did not say how the job ended",
            cancellationToken
        );
        if (outcome is not null && stage.Look(() => job.Outcome) is var seen && seen != outcome)
        {
            throw new RuleBroken($"the job ended as {seen}, not as {outcome}");
        }
    }
}
