using Bellhop.Features.Jobs.Queues;
using Bellhop.Infrastructure.Database;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Begins jobs by the statement that enqueues them, where this process has free slots for them and nothing waits before them.</summary>
/// <remarks>
/// An idle service then needs one commit until a handler runs, and not two. It begins what any claim would: a queue of the service that is
/// not paused, has no limit, and no job that is due. Jobs that cannot begin are enqueued by the same statement as ever.
/// </remarks>
internal sealed class JobStarter(
    Databases databases,
    JobRunner runner,
    JobClaims claims,
    JobFinisher finisher,
    QueueMinutes minutes,
    TimeProvider clock
)
{
    private const short Running = 2;

    /// <summary>Takes a slot for each; null: one of them has none, or asks for more than to begin at once. To be stored then, or freed.</summary>
    public IReadOnlyList<QueueSlots>? Reserve(IReadOnlyList<NewJob> jobs)
    {
        var slots = new List<QueueSlots>(jobs.Count);
        foreach (var job in jobs)
        {
            if (!IsPlain(job) || runner.TryReserve(job.Queue) is not { } slot)
            {
                Free(slots);
                return null;
            }

            slots.Add(slot);
        }

        return slots;
    }

    public void Free(IReadOnlyList<QueueSlots> slots)
    {
        foreach (var slot in slots)
        {
            runner.Free(slot);
        }
    }

    /// <summary>Enqueues them, and executes those that could begin; answers what is there now.</summary>
    /// <remarks>Where it fails nothing begins, and the slots are free again.</remarks>
    public async Task<IReadOnlyList<StoredJob>> StoreAsync(IReadOnlyList<NewJob> jobs, IReadOnlyList<QueueSlots> slots)
    {
        var asked = clock.GetTimestamp();
        Dictionary<Guid, Stored> stored;
        try
        {
            stored = await Outages.RepeatInContentionAsync(() => WriteAsync(jobs));
        }
        catch (Exception exception)
        {
            Free(slots);
            if (ExpectedErrors.IsOutage(exception))
            {
                // the commit whose answer was lost may have been one: its lease would stand for nothing until it ran out
                foreach (var job in jobs)
                {
                    var held = Hold(job, new Stored(Running, 0, job.MaxAttempts ?? 1, 0), asked);
                    finisher.Post(held, new JobOutcome.Released(TimeSpan.Zero) { HasBegun = false }, () => { });
                }
            }

            throw;
        }

        JobMetrics.CountEnqueued(jobs.Where(job => stored.ContainsKey(job.Id)));
        for (var place = 0; place < jobs.Count; place++)
        {
            if (stored.TryGetValue(jobs[place].Id, out var one) && one.State == Running)
            {
                var held = Hold(jobs[place], one, asked);
                JobMetrics.CountClaimed(held.Job, 0);
                minutes.CountStarted(held.Job, 0);
                runner.Begin(slots[place], held);
            }
            else
            {
                runner.Free(slots[place]);
            }
        }

        return [.. stored.Select(one => new StoredJob(one.Key, one.Value.State, one.Value.QueueId))];
    }

    private static bool IsPlain(NewJob job) =>
        job
            is {
                IsForWorkers: false,
                RunAt: null,
                OneOf: null,
                Lane: null,
                StartBefore: null,
                Unique: null,
                HeldBack: HeldBack.Nothing,
                Needs: null,
                Retry: null,
                Continuation: null,
                Tags.Count: 0
            };

    private HeldJob Hold(NewJob job, Stored stored, long asked) =>
        new(
            new ClaimedRow(
                new ClaimedJob(
                    job.ProjectId,
                    job.Id,
                    stored.QueueId,
                    job.Queue,
                    job.Kind,
                    ClaimNo: 1,
                    Attempt: 1,
                    stored.MaxAttempts,
                    Lost: 0,
                    job.Args,
                    job.TraceParent
                ),
                Weight: 1,
                stored.LeaseSeconds,
                job.Priority,
                RunAt: default,
                Seq: 0,
                WaitedSeconds: 0,
                IsLate: false,
                MaxRunSeconds: null
            ),
            isLimited: false,
            asked,
            clock
        );

    private async Task<Dictionary<Guid, Stored>> WriteAsync(IReadOnlyList<NewJob> jobs)
    {
        await using var connection = await databases.Engine.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(Sql.Begin, connection)
        {
            Parameters =
            {
                new("WorkerId", claims.WorkerId),
                Of("ProjectIds", NpgsqlDbType.Uuid, jobs.Select(job => job.ProjectId).ToArray()),
                Of("Ids", NpgsqlDbType.Uuid, jobs.Select(job => job.Id).ToArray()),
                Of("Queues", NpgsqlDbType.Text, jobs.Select(job => job.Queue).ToArray()),
                Of("Kinds", NpgsqlDbType.Text, jobs.Select(job => job.Kind).ToArray()),
                Of("Args", NpgsqlDbType.Text, jobs.Select(job => job.Args).ToArray()),
                Of("Priorities", NpgsqlDbType.Smallint, jobs.Select(job => job.Priority).ToArray()),
                Of("MaxAttempts", NpgsqlDbType.Smallint, jobs.Select(job => job.MaxAttempts).ToArray()),
                Of("TraceParents", NpgsqlDbType.Text, jobs.Select(job => job.TraceParent).ToArray()),
            },
        };
        var stored = new Dictionary<Guid, Stored>(jobs.Count);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            stored.Add(
                reader.GetGuid(0),
                new Stored(reader.GetInt16(1), reader.GetInt64(2), reader.GetInt16(3), reader.GetInt16(4))
            );
        }

        return stored;
    }

    private static NpgsqlParameter Of(string name, NpgsqlDbType type, object values) =>
        new(name, NpgsqlDbType.Array | type) { Value = values };

    private readonly record struct Stored(short State, long QueueId, short MaxAttempts, short LeaseSeconds);

    private static class Sql
    {
        // As JobQueue.Insert, for jobs that ask for nothing special. A queue that bounds how long an execution takes is left to claims,
        // which read that bound.
        public const string Begin = $"""
            WITH {OpenQueues.Ctes}
            INSERT INTO jobs (
                project_id, id, queue_id, run_at, priority, max_attempts, kind, traceparent, args, state, claim_no, attempt, claimed_at,
                worker_id, lease_until
            )
            SELECT n.project_id, n.id, q.queue_id, now(), n.priority, COALESCE(n.max_attempts, q.max_attempts), n.kind, n.traceparent,
                n.args::json, CASE WHEN may.begin THEN 2 ELSE 1 END, CASE WHEN may.begin THEN 1 ELSE 0 END,
                CASE WHEN may.begin THEN 1 ELSE 0 END, CASE WHEN may.begin THEN clock_timestamp() END,
                CASE WHEN may.begin THEN @WorkerId::uuid END,
                CASE WHEN may.begin THEN now() + make_interval(secs => q.lease_seconds) END
            FROM unnest(
                @ProjectIds::uuid[], @Ids::uuid[], @Queues::text[], @Kinds::text[], @Args::text[], @Priorities::smallint[],
                @MaxAttempts::smallint[], @TraceParents::text[]
            ) WITH ORDINALITY AS n(project_id, id, queue, kind, args, priority, max_attempts, traceparent, position)
            JOIN open q ON q.project_id = n.project_id AND q.name = n.queue
            CROSS JOIN LATERAL (
                SELECT q.served_by = 'service' AND q.paused_at IS NULL AND q.max_running IS NULL AND q.rate_count IS NULL
                    AND q.max_run_seconds IS NULL AND NOT EXISTS (
                        SELECT
                        FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                        CROSS JOIN LATERAL (
                            SELECT
                            FROM jobs j
                            WHERE j.state = 1 AND j.queue_id = q.queue_id AND j.priority = p.priority AND j.run_at <= now()
                            LIMIT 1
                        ) AS waiting
                    ) AS begin
            ) AS may
            ORDER BY n.position
            RETURNING id, state, queue_id, max_attempts, COALESCE(extract(epoch FROM lease_until - now()), 0)::smallint
            """;
    }
}
