using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>A job that an operator acts on, locked until the transaction ends: nobody claims, ends or moves it meanwhile.</summary>
internal sealed record LockedJob
{
    public Guid Id { get; init; }

    public string Queue { get; init; } = "";

    public string Kind { get; init; } = "";

    public bool ServedHere { get; init; }

    public long QueueId { get; init; }

    public string? Lane { get; init; }

    public bool HasChildren { get; init; }

    public short? State { get; init; }

    public short? Outcome { get; init; }

    public short WaitReason { get; init; }

    public string StateWord => JobState.Of(State, Outcome);

    public bool IsOver => Outcome is not null;
}

/// <summary>What operators do to one job: found where the caller sees it, locked, changed by a guarded statement, put on record.</summary>
/// <remarks>One transaction. What changes nothing, such as holding a job that is held, succeeds and is not recorded.</remarks>
internal sealed class JobActions(
    UnitOfWork works,
    JobViews views,
    JobKinds kinds,
    AuditTrail trail,
    QueueSignals signals,
    Admission admission,
    Caller caller
)
{
    /// <param name="name">As it stands in records: <c>cancel</c>.</param>
    /// <param name="act">Answers whether it changed something, or why it may not.</param>
    /// <returns>The job as it is afterwards.</returns>
    public Task<Result<JobView>> TakeAsync(
        Guid id,
        string name,
        Func<NpgsqlConnection, LockedJob, Task<Result<bool>>> act,
        CancellationToken cancellationToken
    ) => works.TryAsync(token => TryTakeAsync(id, name, act, token), cancellationToken);

    private async Task<Result<JobView>> TryTakeAsync(
        Guid id,
        string name,
        Func<NpgsqlConnection, LockedJob, Task<Result<bool>>> act,
        CancellationToken cancellationToken
    )
    {
        await using var work = await works.BeginAsync(cancellationToken);
        var job = await LockAsync(work.Connection, id, cancellationToken);
        if (job is null || !caller.Reaches(new Traced(job.Queue)))
        {
            return JobProblems.NoJob;
        }

        if (job.ServedHere && kinds.Find(job.Kind) is { IsInternal: true })
        {
            return JobProblems.IsInternal(job.Kind);
        }

        var acted = await act(work.Connection, job);
        if (acted.Problem is { } refused)
        {
            return refused;
        }

        var after = await views.FindAsync(work.Connection, id, cancellationToken);
        if (after is null)
        {
            return JobProblems.NoJob;
        }

        if (acted.Unwrap())
        {
            var record = new AuditRecord(
                $"jobs.{name}",
                $"jobs/{id}",
                id,
                new { State = job.StateWord },
                new { after.State }
            );
            await trail.RecordAsync(work.Connection, record, cancellationToken);
            work.AfterCommit(() => Tell(job, after));
        }

        await work.CommitAsync(cancellationToken);
        return after;
    }

    private void Tell(LockedJob before, JobView after)
    {
        if (before.StateWord == JobState.Running)
        {
            signals.RaiseCancel(before.Id); // nothing else is done to what runs
        }

        if (before.Lane is { } lane)
        {
            admission.Look(new Lane(caller.ProjectId, before.QueueId, lane)); // it has a place less, or one more that waits
        }

        if (after.WaitReason == WaitReason.Jobs)
        {
            admission.Waits(caller.ProjectId, before.Id); // who ended meanwhile found it as it was before
        }

        if (!before.IsOver && before.HasChildren && after.FinishedAt is not null)
        {
            admission.Ended(caller.ProjectId, before.Id);
        }

        if (after.State != JobState.Running)
        {
            signals.Raise(); // it may be due now, or what continues it is
        }
    }

    /// <summary>A job that ends, or is put back, between the looks is seen by a later one.</summary>
    private async Task<LockedJob?> LockAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        var key = new { caller.ProjectId, Id = id };
        foreach (var look in (string[])[Sql.LockUnfinished, Sql.LockFinished, Sql.LockUnfinished, Sql.LockFinished])
        {
            if (await connection.QuerySingleOrDefaultAsync<LockedJob>(look.With(key, cancellationToken)) is { } job)
            {
                return job;
            }
        }

        return null;
    }

    private static class Sql
    {
        public const string LockUnfinished = """
            SELECT j.id, q.name AS queue, j.kind, q.served_by = 'service' AS served_here, j.state, j.wait_reason, j.queue_id, j.lane,
                j.has_children
            FROM jobs j
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            WHERE j.project_id = @ProjectId AND j.id = @Id
            FOR UPDATE OF j
            """;

        public const string LockFinished = """
            SELECT h.id, q.name AS queue, h.kind, q.served_by = 'service' AS served_here, h.outcome, h.queue_id, h.lane, h.has_children
            FROM job_history h
            JOIN queues q ON q.project_id = h.project_id AND q.queue_id = h.queue_id
            WHERE h.project_id = @ProjectId AND h.id = @Id AND h.finished_at >= id_time(@Id) - interval '1 minute'
            FOR UPDATE OF h
            """;
    }
}
