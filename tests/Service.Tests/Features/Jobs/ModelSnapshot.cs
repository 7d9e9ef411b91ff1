using Bellhop.Features.Jobs;
using Dapper;
using Npgsql;

namespace Bellhop.Tests.Features.Jobs;

/// <summary>The rows of a project at one moment.</summary>
internal sealed record ModelSnapshot(
    IReadOnlyList<ModelRow> Rows,
    IReadOnlyList<string> Keys,
    IReadOnlyList<string> Edges,
    ILookup<Guid, string> Attempts,
    DateTime TakenAt
)
{
    public static async Task<ModelSnapshot> TakeAsync(NpgsqlConnection connection, Guid projectId)
    {
        await using var grid = await connection.QueryMultipleAsync(
            """
            SELECT id, state, NULL::smallint AS outcome, wait_reason, NULL AS reason, attempt, lost, snoozes, claim_no, priority, run_at, seq,
                cancel_requested_at IS NOT NULL AS is_to_be_canceled, checkpoint::text AS checkpoint
            FROM jobs WHERE project_id = @ProjectId
            UNION ALL
            SELECT id, NULL, outcome, 0::smallint, reason, attempt, lost, 0::smallint, claim_no, priority, run_at, 0, false, NULL
            FROM job_history WHERE project_id = @ProjectId;
            SELECT key || ' ' || job_id FROM job_keys WHERE project_id = @ProjectId AND expires_at > now() ORDER BY 1;
            SELECT parent_id || ' ' || child_id || ' ' || is_broken FROM job_edges WHERE project_id = @ProjectId;
            SELECT job_id, outcome FROM job_attempts WHERE project_id = @ProjectId ORDER BY at, claim_no;
            SELECT clock_timestamp()
            """,
            new { ProjectId = projectId }
        );
        return new ModelSnapshot(
            (await grid.ReadAsync<ModelRow>()).AsList(),
            (await grid.ReadAsync<string>()).AsList(),
            (await grid.ReadAsync<string>()).AsList(),
            (await grid.ReadAsync<(Guid Id, string Outcome)>()).ToLookup(one => one.Id, one => one.Outcome),
            await grid.ReadSingleAsync<DateTime>()
        );
    }

    /// <summary>Null: they agree, and the model has taken over the times and numbers that it could not know.</summary>
    public string? CompareTo(JobModel model, DateTime stepBegan)
    {
        if (Rows.Count != model.Jobs.Count)
        {
            return $"There are {Rows.Count} jobs, not {model.Jobs.Count}.";
        }

        SwapUndecided(model);
        foreach (var row in Rows)
        {
            if (!model.Jobs.TryGetValue(row.Id, out var job))
            {
                return $"There is a job {row.Id}, which nobody enqueued.";
            }

            if (row.Differs(job, [.. Attempts[row.Id]], stepBegan, TakenAt) is { } difference)
            {
                return $"#{model.Jobs.Keys.TakeWhile(id => id != row.Id).Count()}: {difference}";
            }
        }

        var keys = model.Keys.Select(key => $"{key.Key} {key.Value.Job}").Order(StringComparer.Ordinal);
        if (!keys.SequenceEqual(Keys))
        {
            return $"The keys are [{string.Join(", ", Keys)}], not [{string.Join(", ", keys)}].";
        }

        var edges = model
            .Edges.Select(edge => $"{edge.Key.Parent} {edge.Key.Child} {(edge.Value ? "true" : "false")}")
            .ToHashSet();
        if (!edges.SetEquals(Edges))
        {
            return $"The edges are [{string.Join(", ", Edges)}], not [{string.Join(", ", edges)}].";
        }

        foreach (var row in Rows)
        {
            row.TellTimes(model.Jobs[row.Id]);
        }

        return null;
    }

    /// <summary>Where a job came to wait for a lane that had room at the same moment, either may have been first.</summary>
    private void SwapUndecided(JobModel model)
    {
        foreach (var lane in model.Undecided)
        {
            var jobs = Rows.Select(row => (Row: row, Job: model.Jobs.GetValueOrDefault(row.Id)))
                .Where(one => one.Job?.Lane == lane && one.Job.IsDue)
                .ToArray();
            var early = jobs.Where(one => one is { Row.State: 1, Job.Wait: "lane" }).ToArray();
            var late = jobs.Where(one => one is { Row: { State: 0, WaitReason: 1 }, Job.State: "ready" }).ToArray();
            foreach (var (first, second) in early.Zip(late))
            {
                (first.Job!.State, first.Job.Wait) = ("ready", null);
                (second.Job!.State, second.Job.Wait) = ("waiting", "lane");
            }
        }
    }
}

/// <summary>A job as it is.</summary>
internal sealed record ModelRow
{
    public Guid Id { get; init; }

    public short? State { get; init; }

    public short? Outcome { get; init; }

    public short WaitReason { get; init; }

    public string? Reason { get; init; }

    public short Attempt { get; init; }

    public short Lost { get; init; }

    public short Snoozes { get; init; }

    public long ClaimNo { get; init; }

    public short Priority { get; init; }

    public DateTime RunAt { get; init; }

    public long Seq { get; init; }

    public bool IsToBeCanceled { get; init; }

    public string? Checkpoint { get; init; }

    public string? Differs(ModelJob job, string[] attempts, DateTime stepBegan, DateTime takenAt)
    {
        var isOpen = Outcome is null;
        var was = (
            JobState.Of(State, Outcome),
            WaitReason > 0 ? Bellhop.Features.Jobs.WaitReason.Of(WaitReason) : null,
            Reason,
            (int)Attempt,
            (int)Lost,
            ClaimNo,
            (int)Priority
        );
        var should = (job.State, job.Wait, job.Reason, job.Attempt, job.Lost, job.ClaimNo, job.Priority);
        if (was != should)
        {
            return $"it is {was}, not {should} (state, wait, reason, attempt, lost, claim, priority)";
        }

        if (isOpen && (Snoozes, IsToBeCanceled, Checkpoint) != (job.Snoozes, job.IsToBeCanceled, job.Checkpoint))
        {
            return $"it is {(Snoozes, IsToBeCanceled, Checkpoint)}, not {(job.Snoozes, job.IsToBeCanceled, job.Checkpoint)} "
                + "(snoozes, cancel, checkpoint)";
        }

        if (!attempts.SequenceEqual(job.Attempts))
        {
            return $"its attempts are [{string.Join(' ', attempts)}], not [{string.Join(' ', job.Attempts)}]";
        }

        var isDueAsSaid =
            !isOpen ? true
            : job.RunAt == JobModel.Now ? RunAt >= stepBegan && RunAt <= takenAt
            : job.RunAt == JobModel.Later ? RunAt > takenAt.AddMinutes(30)
            : RunAt == job.RunAt;
        return isDueAsSaid ? null : $"it is due at {RunAt:O}, not {job.RunAt:O}; the step began at {stepBegan:O}";
    }

    public void TellTimes(ModelJob job)
    {
        if (Outcome is null)
        {
            job.RunAt = job.IsDue ? RunAt : job.RunAt;
            job.Seq = Seq;
        }
    }
}
