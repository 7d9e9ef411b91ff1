namespace Bellhop.Tests.Features.Jobs;

/// <summary>A job as it should be.</summary>
internal sealed class ModelJob
{
    public required Guid Id { get; init; }

    public string State { get; set; } = "ready";

    public string? Wait { get; set; }

    public string? Reason { get; set; }

    public DateTime RunAt { get; set; } = JobModel.Now;

    public long Seq { get; set; } = long.MaxValue;

    public int Priority { get; set; } = 3;

    public int Attempt { get; set; }

    public int MaxAttempts { get; set; } = 3;

    public int DelaySeconds { get; set; }

    public int Lost { get; set; }

    public int Snoozes { get; set; }

    public long ClaimNo { get; set; }

    public string? Lane { get; set; }

    public ModelKey? Key { get; set; }

    public string Needs { get; set; } = "succeeded";

    public bool IsPatient { get; set; }

    public bool IsToBeCanceled { get; set; }

    public bool HasStartBefore { get; set; }

    /// <summary>The time it had to begin is over.</summary>
    public bool IsLate { get; set; }

    public string? Checkpoint { get; set; }

    public ModelLease? Lease { get; set; }

    public List<string> Attempts { get; } = [];

    public bool IsOver => State is "succeeded" or "failed" or "canceled" or "expired";

    public bool IsDue => RunAt < JobModel.Later;
}

/// <param name="Until"><c>start finish seconds</c>.</param>
internal sealed record ModelKey(string Name, string Until, string OnConflict);

/// <summary>What a claim gave to a worker.</summary>
internal sealed class ModelLease(ModelJob job, Guid worker, Guid claimKey, string text)
{
    public ModelJob Job => job;

    public Guid Worker => worker;

    public Guid ClaimKey => claimKey;

    public string Text => text;

    public long ClaimNo { get; } = job.ClaimNo;

    /// <summary>How it ended, in the word it was told with, or <c>lost</c>; null: it is the job's.</summary>
    public string? EndedAs { get; set; }
}

/// <summary>What is to be answered.</summary>
internal sealed record ModelAnswer(int Status, string? Code = null, Guid? Id = null);

/// <summary>What the engine promises about the jobs of one queue of workers, as its documents say it; it knows no SQL and no clock.</summary>
/// <remarks>Each call is one thing that happens; <see cref="Settle"/> then lets become true what the engine does by itself.</remarks>
internal sealed class JobModel
{
    /// <summary>Stands for a time within the step that happens, later than all before it.</summary>
    public static readonly DateTime Now = new(2500, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    /// <summary>Stands for a time that does not come by itself while the test lasts.</summary>
    public static readonly DateTime Later = new(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private const int MaxLost = 2;

    public Dictionary<Guid, ModelJob> Jobs { get; } = [];

    /// <summary>Each key that is held, by whom and until what.</summary>
    public Dictionary<string, (Guid Job, string Until)> Keys { get; } = [];

    /// <summary>Who waits for whom, and whether that has ended otherwise.</summary>
    public Dictionary<(Guid Parent, Guid Child), bool> Edges { get; } = [];

    public List<ModelLease> Leases { get; } = [];

    public bool IsPaused { get; set; }

    public int? MaxRunning { get; set; }

    public int? LaneLimit { get; set; }

    public bool IsOrdered { get; set; }

    /// <summary>Lanes that in this step had room before or after a job came to wait there: either may have been looked at first.</summary>
    public HashSet<string> Undecided { get; } = [];

    private bool HasLanes => IsOrdered || LaneLimit is not null;

    public IEnumerable<ModelJob> Running => Jobs.Values.Where(job => job.State == "running");

    /// <param name="asked">The job as it would be, with the id that was answered.</param>
    public ModelAnswer Enqueue(ModelJob asked, bool isHeld, Guid[] parents, Guid[] blocked)
    {
        foreach (var parent in parents.Select(id => Jobs[id]))
        {
            if (parent.IsOver && !IsMet(asked, parent) && !asked.IsPatient)
            {
                return new ModelAnswer(409, "parent_failed");
            }
        }

        if (blocked.Any(id => Jobs[id].Wait != "held"))
        {
            return new ModelAnswer(409, "not_held");
        }

        if (blocked.Any(id => parents.Any(parent => WaitsFor(parent, id))))
        {
            return new ModelAnswer(422, "cycle");
        }

        if (asked.Key is { } key && Keys.TryGetValue(key.Name, out var holder))
        {
            return MeetHolder(asked, key, Jobs[holder.Job]);
        }

        if (asked.Key is { } own)
        {
            Keys[own.Name] = (asked.Id, own.Until);
        }

        Jobs.Add(asked.Id, asked);
        foreach (var parent in parents.Select(id => Jobs[id]).Where(parent => !parent.IsOver || !IsMet(asked, parent)))
        {
            Edges[(parent.Id, asked.Id)] = parent.IsOver;
        }

        foreach (var id in blocked)
        {
            Edges[(asked.Id, id)] = false;
        }

        (asked.State, asked.Wait) = isHeld ? ("waiting", "held") : ("ready", null);
        if (!isHeld)
        {
            Place(asked);
        }

        return new ModelAnswer(201, Id: asked.Id);
    }

    /// <summary>Whether one waits for another, or for one that does.</summary>
    public bool WaitsFor(Guid id, Guid other) =>
        id == other || Edges.Keys.Any(edge => edge.Child == id && WaitsFor(edge.Parent, other));

    /// <summary>Which jobs the worker may be given: those under the same key again, or up to so many that are due.</summary>
    public (IReadOnlyList<ModelJob> Again, IReadOnlyList<ModelJob> Ready, int Max) Offer(
        Guid worker,
        Guid claimKey,
        int max
    )
    {
        var again = Running.Where(job => job.Lease!.Worker == worker && job.Lease.ClaimKey == claimKey).ToArray();
        var ready = IsPaused ? [] : Jobs.Values.Where(job => job is { State: "ready", IsDue: true }).ToArray();
        return (again, ready, Math.Min(max, Math.Max(0, (MaxRunning ?? int.MaxValue) - Running.Count())));
    }

    /// <summary>It was taken: what had to begin sooner, and never did, expires instead.</summary>
    public void Take(ModelJob job, Guid worker, Guid claimKey, string? lease)
    {
        job.Attempt++;
        job.ClaimNo++;
        if (job.Key is { Until: "start" } key && Holds(job, key))
        {
            Keys.Remove(key.Name);
        }

        if (lease is null)
        {
            End(job, "expired", "start_before");
            return;
        }

        job.State = "running";
        job.Lease = new ModelLease(job, worker, claimKey, lease);
        Leases.Add(job.Lease);
    }

    /// <returns>Every status that is right.</returns>
    public string[] Finish(ModelLease lease, string outcome, bool isRetryable, int? delay)
    {
        var job = lease.Job;
        if (lease.EndedAs is { } ended)
        {
            // of a lease after which there was another, the engine need not remember how it ended
            var isSame = ended == outcome;
            var isKnown = job.Lease == lease && (job.State != "canceled" || ended is not ("released" or "snoozed"));
            return isSame && isKnown ? ["duplicate"]
                : isSame || (job.State == "canceled" && outcome != "succeeded") ? ["duplicate", "lease_lost"]
                : ["lease_lost"];
        }

        if (outcome == "canceled" && !job.IsToBeCanceled)
        {
            return ["invalid"];
        }

        lease.EndedAs = outcome;
        if (outcome == "failed")
        {
            job.Attempts.Add("failed");
        }

        if (outcome == "succeeded")
        {
            End(job, "succeeded", null);
        }
        else if (job.IsToBeCanceled)
        {
            End(job, "canceled", "canceled");
        }
        else if (outcome == "failed" && (!isRetryable || job.Attempt >= job.MaxAttempts))
        {
            End(job, "failed", null);
        }
        else
        {
            GoBack(job, outcome, delay ?? (outcome == "failed" ? job.DelaySeconds : 0));
        }

        return ["accepted"];
    }

    public static string Beat(ModelLease lease, Guid worker, string? checkpoint)
    {
        if (lease.EndedAs is not null || worker != lease.Worker)
        {
            return "lost";
        }

        lease.Job.Checkpoint = checkpoint ?? lease.Job.Checkpoint;
        return lease.Job.IsToBeCanceled ? "cancel" : "ok";
    }

    public ModelAnswer Cancel(ModelJob job, bool force)
    {
        if (job.IsOver)
        {
            return job.State == "canceled" ? new ModelAnswer(200) : new ModelAnswer(409, "job_finished");
        }

        if (job.State == "running" && !force)
        {
            job.IsToBeCanceled = true;
            return new ModelAnswer(202);
        }

        LoseLease(job);
        End(job, "canceled", "canceled");
        return new ModelAnswer(200);
    }

    public ModelAnswer Retry(ModelJob job)
    {
        if (!job.IsOver)
        {
            return new ModelAnswer(409, "job_unfinished");
        }

        if (job.State == "succeeded")
        {
            return new ModelAnswer(409, "job_finished");
        }

        if (job.Key is { } key)
        {
            if (Keys.TryGetValue(key.Name, out var holder) && holder.Job != job.Id)
            {
                return new ModelAnswer(409, "key_taken");
            }

            Keys[key.Name] = (job.Id, key.Until);
        }

        (job.Attempt, job.Lost, job.Snoozes, job.Lease, job.Checkpoint) = (0, 0, 0, null, null);
        (job.RunAt, job.Seq, job.Reason, job.HasStartBefore, job.IsLate) = (Now, long.MaxValue, null, false, false);
        (job.Needs, job.IsPatient) = ("succeeded", false); // it waits for nobody any more
        foreach (var edge in Edges.Keys.Where(edge => edge.Parent == job.Id).ToArray())
        {
            Edges[edge] = false;
        }

        Place(job);
        return new ModelAnswer(200);
    }

    public static ModelAnswer RunNow(ModelJob job)
    {
        if (job.IsOver)
        {
            return new ModelAnswer(409, "job_finished");
        }

        if (job.State == "running")
        {
            return new ModelAnswer(409, "job_running");
        }

        if (job.Wait is not null && (job.Wait != "lane" || job.IsDue))
        {
            return new ModelAnswer(409, "job_waiting");
        }

        job.RunAt = job.IsDue ? job.RunAt : Now;
        return new ModelAnswer(200);
    }

    public static ModelAnswer Hold(ModelJob job)
    {
        if (job.IsOver || job.State == "running")
        {
            return new ModelAnswer(409, job.IsOver ? "job_finished" : "job_running");
        }

        (job.State, job.Wait) = ("waiting", "held");
        return new ModelAnswer(200);
    }

    public ModelAnswer Free(ModelJob job)
    {
        if (job.Wait == "held")
        {
            Place(job);
        }

        return job.IsOver ? new ModelAnswer(409, "job_finished") : new ModelAnswer(200);
    }

    /// <summary>Whoever holds it was silent for too long.</summary>
    public void Lose(ModelJob job)
    {
        LoseLease(job);
        if (job.IsToBeCanceled)
        {
            End(job, "canceled", "canceled");
            return;
        }

        job.Attempts.Add("lost");
        if (job.Lost >= MaxLost)
        {
            End(job, "failed", "worker_lost");
            return;
        }

        // its place in the lane is kept
        (job.State, job.RunAt, job.Lost) = ("ready", Later, job.Lost + 1);
    }

    /// <summary>The time that whoever holds it had to stop is over.</summary>
    public void EndGrace(ModelJob job)
    {
        LoseLease(job);
        End(job, "canceled", "canceled");
    }

    /// <summary>The time it had to begin is over. What has begun, and failed, has not missed it.</summary>
    public void MissStart(ModelJob job)
    {
        job.IsLate = true;
        if (job is { State: "waiting" or "ready", Attempt: 0 })
        {
            End(job, "expired", "start_before");
        }
    }

    /// <summary>What follows by itself: ends reach those that wait for them, and lanes with room take the next.</summary>
    public void Settle()
    {
        while (SettleEdges()) { }

        foreach (var lane in Jobs.Values.Where(job => job is { Wait: "lane" }).GroupBy(job => job.Lane!))
        {
            var held = Jobs.Values.Count(job =>
                job.Lane == lane.Key && job.State is "ready" or "running" && job.Lane == lane.Key
            );
            var room = (IsOrdered ? 1 : LaneLimit ?? 1000) - held;
            var next = IsOrdered
                ? lane.OrderBy(job => job.Seq).Take(1).Where(job => job.IsDue)
                : lane.Where(job => job.IsDue)
                    .OrderBy(job => job.Priority)
                    .ThenBy(job => job.RunAt)
                    .ThenBy(job => job.Seq);
            foreach (var job in next.Take(Math.Max(0, room)).ToArray())
            {
                (job.State, job.Wait) = ("ready", null);
            }
        }
    }

    private bool SettleEdges()
    {
        var isChanged = false;
        foreach (var (edge, isBroken) in Edges.ToArray())
        {
            var (parent, child) = (Jobs[edge.Parent], Jobs[edge.Child]);
            if (child.IsOver || (parent.IsOver && !isBroken && IsMet(child, parent)))
            {
                isChanged |= Edges.Remove(edge);
            }
            else if (parent.IsOver && !isBroken)
            {
                isChanged = Edges[edge] = true;
            }
        }

        foreach (var job in Jobs.Values.Where(job => job.Wait is "jobs" or "held"))
        {
            var edges = Edges.Where(edge => edge.Key.Child == job.Id).ToArray();
            if (!job.IsPatient && edges.Any(edge => edge.Value))
            {
                End(job, "canceled", "parent_failed");
                isChanged = true;
            }
            else if (job.Wait == "jobs" && edges.Length == 0)
            {
                job.RunAt = job.IsDue ? Now : Later;
                Place(job);
                isChanged = true;
                if (job.Lane is { } lane)
                {
                    Undecided.Add(lane);
                }
            }
        }

        return isChanged;
    }

    /// <summary>Other jobs are waited for before the lane is.</summary>
    private void Place(ModelJob job) =>
        (job.State, job.Wait) =
            Edges.Keys.Any(edge => edge.Child == job.Id) ? ("waiting", "jobs")
            : job.Lane is not null && HasLanes ? ("waiting", "lane")
            : ("ready", null);

    private ModelAnswer MeetHolder(ModelJob asked, ModelKey key, ModelJob holder)
    {
        if (key.OnConflict == "reject" || (key.OnConflict == "replace" && (holder.IsOver || holder.State == "running")))
        {
            return new ModelAnswer(409, "key_taken");
        }

        if (key.OnConflict == "replace")
        {
            Replace(holder, asked);
            Keys[key.Name] = (holder.Id, key.Until);
        }

        return new ModelAnswer(200, Id: holder.Id);
    }

    /// <summary>It becomes the other in all but its id, its losses and what it waits for beyond its lane.</summary>
    private void Replace(ModelJob holder, ModelJob asked)
    {
        var isInPlace = holder.State == "ready" && holder.Lane == asked.Lane && (IsOrdered || asked.IsDue);
        Undecided.UnionWith(new[] { holder.Lane, asked.Lane }.OfType<string>());
        (holder.Priority, holder.RunAt, holder.Lane, holder.Key) = (asked.Priority, asked.RunAt, asked.Lane, asked.Key);
        (holder.MaxAttempts, holder.DelaySeconds, holder.Attempt, holder.Snoozes) = (
            asked.MaxAttempts,
            asked.DelaySeconds,
            0,
            0
        );
        (holder.HasStartBefore, holder.IsLate, holder.Checkpoint) = (false, false, null);
        if (holder.Wait is not ("jobs" or "held"))
        {
            (holder.Needs, holder.IsPatient) = (asked.Needs, asked.IsPatient);
            (holder.State, holder.Wait) =
                asked.Lane is null || !HasLanes || isInPlace ? ("ready", null) : ("waiting", "lane");
        }
    }

    private void GoBack(ModelJob job, string outcome, int delay)
    {
        if (outcome != "failed")
        {
            job.Attempts.Add(outcome);
            job.Attempt--;
            job.Snoozes += outcome == "snoozed" ? 1 : 0;
        }

        (job.State, job.RunAt) = ("ready", delay > 0 ? Later : Now);
        (job.HasStartBefore, job.IsLate) = (false, false); // it has begun
        PutOff(job);
    }

    /// <summary>In a lane without order a job that is put off gives its place to the next; in one with order it keeps it.</summary>
    private void PutOff(ModelJob job)
    {
        if (job is { State: "ready", Lane: not null } && LaneLimit is not null && !IsOrdered)
        {
            (job.State, job.Wait) = ("waiting", "lane");
        }
    }

    private void End(ModelJob job, string state, string? reason)
    {
        (job.State, job.Wait, job.Reason, job.IsToBeCanceled) = (state, null, reason, false);
        if (job.Key is { } key && Holds(job, key) && Keys[key.Name].Until != "seconds")
        {
            Keys.Remove(key.Name);
        }
    }

    private static void LoseLease(ModelJob job)
    {
        if (job is { State: "running", Lease: { } lease })
        {
            lease.EndedAs = "lost";
        }
    }

    private bool Holds(ModelJob job, ModelKey key) => Keys.TryGetValue(key.Name, out var held) && held.Job == job.Id;

    private static bool IsMet(ModelJob child, ModelJob parent) =>
        child.Needs switch
        {
            "finished" => true,
            "failed" => parent.State != "succeeded",
            _ => parent.State == "succeeded",
        };
}
