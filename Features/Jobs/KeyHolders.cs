using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>What becomes of jobs whose key another job holds: its id is answered, they take its place, or they are refused.</summary>
/// <remarks>A holder on a queue beyond the caller's reach is not told: neither its id nor its state.</remarks>
internal sealed class KeyHolders(Admission admission, QueueSignals signals, Caller caller)
{
    /// <returns>Those whose key was held by no job that there is: it is free now, and they are to be stored.</returns>
    public async Task<AskedJob[]> MeetAsync(
        Work work,
        AskedJob[] late,
        IReadOnlyDictionary<string, Guid> holders,
        CancellationToken cancellationToken
    )
    {
        if (late.Length == 0)
        {
            return [];
        }

        var replaced = await ReplaceAsync(work, late, holders, cancellationToken);
        var ids = late.Select(one => holders[one.Job!.Unique!.Key!]).Distinct().ToArray();
        var found = (
            await work.Connection.QueryAsync<Holder>(
                Sql.Find.With(new { caller.ProjectId, Ids = ids }, cancellationToken)
            )
        ).ToDictionary(holder => holder.Id);
        var free = await FreeAsync(work, [.. ids.Where(id => !found.ContainsKey(id))], cancellationToken);
        foreach (var one in late.Where(one => !free.Contains(one.Job!.Unique!.Key!)))
        {
            var id = holders[one.Job!.Unique!.Key!];
            var holder = found.GetValueOrDefault(id);
            if (holder is not null && caller.ReachQueues?.Contains(holder.Queue, StringComparer.Ordinal) == false)
            {
                one.Problem = KeyTaken(
                    "A job of a queue that the caller does not reach holds the key.",
                    one.Job.Unique
                );
            }
            else if (one.Job.Unique.OnConflict == UniqueKey.Keep || replaced.Contains(id))
            {
                one.Made = new EnqueuedJob(id, holder?.Told ?? JobState.Canceled, IsNew: false); // it was deleted
            }
            else
            {
                one.Problem = KeyTaken(
                    $"The job {id}, which is {holder?.Told ?? "over"}, holds the key.",
                    one.Job.Unique
                );
            }
        }

        return [.. late.Where(one => one is { Made: null, Problem: null })];
    }

    /// <returns>The holders that became the jobs that were asked for.</returns>
    private async Task<HashSet<Guid>> ReplaceAsync(
        Work work,
        AskedJob[] late,
        IReadOnlyDictionary<string, Guid> holders,
        CancellationToken cancellationToken
    )
    {
        // of several in one request for one key, the last takes the place
        var last = late.Where(one => one.Job!.Unique!.OnConflict == UniqueKey.Replace)
            .GroupBy(one => holders[one.Job!.Unique!.Key!])
            .Select(group => (Holder: group.Key, group.Last().Job!))
            .ToArray();
        var replaced = new HashSet<Guid>();
        if (last.Length == 0)
        {
            return replaced;
        }

        await using var batch = new NpgsqlBatch(work.Connection) { BatchCommands = { JobKeys.Replace(last) } };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            replaced.Add(reader.GetGuid(0));
            var queue = new QueueRef(caller.ProjectId, reader.GetInt64(1));
            if (reader.GetInt16(2) == 1)
            {
                work.AfterCommit(() => signals.Raise(queue)); // it may be due now
            }

            // the one it left has room, and the one it came to may have
            foreach (var lane in (int[])[3, 4])
            {
                if (!reader.IsDBNull(lane))
                {
                    var name = new Lane(caller.ProjectId, queue.QueueId, reader.GetString(lane));
                    work.AfterCommit(() => admission.Look(name));
                }
            }
        }

        return replaced;
    }

    /// <returns>The keys that are free now.</returns>
    private async Task<HashSet<string>> FreeAsync(Work work, Guid[] missing, CancellationToken cancellationToken) =>
        missing.Length == 0
            ? []
            :
            [
                .. await work.Connection.QueryAsync<string>(
                    Sql.Free.With(new { caller.ProjectId, Ids = missing }, cancellationToken)
                ),
            ];

    private static Problem KeyTaken(string why, UniqueKey unique) =>
        JobProblems.KeyTaken.Because(
            why,
            FieldError.At(
                "/unique/key",
                "key_taken",
                unique.OnConflict == UniqueKey.Replace
                    ? "A job that has begun, or is of another queue, is not replaced."
                    : "With on_conflict keep its id is answered."
            )
        );

    private sealed record Holder(Guid Id, string Queue, short? State, short? Outcome)
    {
        public string Told => JobState.Of(State, Outcome);
    }

    private static class Sql
    {
        public const string Find = """
            SELECT j.id, q.name AS queue, j.state, NULL::smallint AS outcome
            FROM jobs j
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            WHERE j.project_id = @ProjectId AND j.id = ANY (@Ids::uuid[])
            UNION ALL
            SELECT h.id, q.name, NULL, h.outcome
            FROM unnest(@Ids::uuid[]) AS k(id)
            JOIN job_history h ON h.project_id = @ProjectId AND h.id = k.id AND h.finished_at >= id_time(k.id) - interval '1 minute'
            JOIN queues q ON q.project_id = h.project_id AND q.queue_id = h.queue_id
            """;

        // The keys are locked since they were asked for, and this is a look of its own: whoever holds one has its job there. One that is
        // held for so many seconds outlives its job.
        public const string Free = """
            DELETE FROM job_keys k
            WHERE k.project_id = @ProjectId AND k.job_id = ANY (@Ids::uuid[]) AND k.until < 2
                AND NOT EXISTS (SELECT FROM jobs j WHERE j.project_id = @ProjectId AND j.id = k.job_id)
            RETURNING k.key
            """;
    }
}
