using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs;

/// <summary>Takes the keys of jobs that are about to be enqueued, inside the caller's transaction.</summary>
/// <remarks>
/// Who comes second for a key waits until the first has committed or is rolled back: that is the guarantee. Keys are taken in one
/// order, so that two batches cannot deadlock.
/// </remarks>
internal static class JobKeys
{
    /// <summary>The first of its batch: the insert that follows leaves out those whose key another job holds.</summary>
    public static NpgsqlBatchCommand Take(IReadOnlyList<NewJob> jobs) =>
        new(Sql.Take)
        {
            Parameters =
            {
                Of("ProjectIds", NpgsqlDbType.Uuid, jobs.Select(job => job.ProjectId).ToArray()),
                Of("Ids", NpgsqlDbType.Uuid, jobs.Select(job => job.Id).ToArray()),
                Of("Queues", NpgsqlDbType.Text, jobs.Select(job => job.Queue).ToArray()),
                Of("ForWorkers", NpgsqlDbType.Boolean, jobs.Select(job => job.IsForWorkers).ToArray()),
                Of("Keys", NpgsqlDbType.Text, jobs.Select(job => job.Unique!.Key!).ToArray()),
                Of("Untils", NpgsqlDbType.Smallint, jobs.Select(job => job.Unique!.UntilNumber).ToArray()),
                Of("Seconds", NpgsqlDbType.Integer, jobs.Select(job => job.Unique!.Seconds).ToArray()),
            },
        };

    /// <summary>Each key and the job that holds it now.</summary>
    public static async Task<IReadOnlyDictionary<string, Guid>> ReadAsync(
        NpgsqlDataReader reader,
        CancellationToken cancellationToken
    )
    {
        var holders = new Dictionary<string, Guid>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken))
        {
            holders.Add(reader.GetString(0), reader.GetGuid(1));
        }

        return holders;
    }

    /// <summary>
    /// Makes holders that have not begun the jobs that were asked for in their place: all that those say, and attempts counted anew.
    /// Answers which it reached.
    /// </summary>
    public static NpgsqlBatchCommand Replace(IReadOnlyList<(Guid Holder, NewJob Job)> jobs) =>
        new(Sql.Replace)
        {
            Parameters =
            {
                Of("ProjectIds", NpgsqlDbType.Uuid, jobs.Select(one => one.Job.ProjectId).ToArray()),
                Of("Ids", NpgsqlDbType.Uuid, jobs.Select(one => one.Holder).ToArray()),
                Of("Queues", NpgsqlDbType.Text, jobs.Select(one => one.Job.Queue).ToArray()),
                Of("Kinds", NpgsqlDbType.Text, jobs.Select(one => one.Job.Kind).ToArray()),
                Of("Args", NpgsqlDbType.Text, jobs.Select(one => one.Job.Args).ToArray()),
                Of("Priorities", NpgsqlDbType.Smallint, jobs.Select(one => one.Job.Priority).ToArray()),
                Of("RunAts", NpgsqlDbType.TimestampTz, jobs.Select(one => one.Job.RunAt).ToArray()),
                Of("MaxAttempts", NpgsqlDbType.Smallint, jobs.Select(one => one.Job.MaxAttempts).ToArray()),
                Of("Retries", NpgsqlDbType.Text, jobs.Select(one => one.Job.Retry).ToArray()),
                Of("TraceParents", NpgsqlDbType.Text, jobs.Select(one => one.Job.TraceParent).ToArray()),
                Of("Lanes", NpgsqlDbType.Text, jobs.Select(one => one.Job.Lane).ToArray()),
                Of("Tags", NpgsqlDbType.Text, jobs.Select(one => JobQueue.WriteTags(one.Job)).ToArray()),
                Of("StartBefores", NpgsqlDbType.TimestampTz, jobs.Select(one => one.Job.StartBefore).ToArray()),
                Of("Uniques", NpgsqlDbType.Text, jobs.Select(one => one.Job.Unique!.ToJson()).ToArray()),
                Of("Untils", NpgsqlDbType.Smallint, jobs.Select(one => one.Job.Unique!.UntilNumber).ToArray()),
                Of("Seconds", NpgsqlDbType.Integer, jobs.Select(one => one.Job.Unique!.Seconds).ToArray()),
                Of("HeldBacks", NpgsqlDbType.Smallint, jobs.Select(one => (short)one.Job.HeldBack).ToArray()),
                Of("Needs", NpgsqlDbType.Smallint, jobs.Select(one => (short?)one.Job.Needs).ToArray()),
                Of(
                    "Patients",
                    NpgsqlDbType.Boolean,
                    jobs.Select(one => one.Job.Needs is null ? (bool?)null : one.Job.IsPatient).ToArray()
                ),
            },
        };

    private static NpgsqlParameter Of(string name, NpgsqlDbType type, object values) =>
        new(name, NpgsqlDbType.Array | type) { Value = values };

    private static class Sql
    {
        // One key once, since a statement may not touch a row twice. A job that its queue does not take takes none: the queue is held from
        // here on, so that the insert that follows finds it as it was found here.
        public const string Take = $"""
            WITH {OpenQueues.Ctes},
            first AS (
                SELECT DISTINCT ON (n.project_id, n.key) n.project_id, n.id, n.key, n.until,
                    COALESCE(now() + make_interval(secs => n.seconds), 'infinity') AS expires_at
                FROM unnest(
                    @ProjectIds::uuid[], @Ids::uuid[], @Queues::text[], @ForWorkers::boolean[], @Keys::text[], @Untils::smallint[],
                    @Seconds::integer[]
                ) WITH ORDINALITY AS n(project_id, id, queue, for_workers, key, until, seconds, position)
                JOIN open q ON q.project_id = n.project_id AND q.name = n.queue AND (NOT n.for_workers OR q.served_by = 'workers')
                ORDER BY n.project_id, n.key, n.position
            )
            INSERT INTO job_keys AS k (project_id, key, job_id, until, expires_at)
            SELECT project_id, key, id, until, expires_at FROM first ORDER BY project_id, key
            ON CONFLICT (project_id, key) DO UPDATE
            SET job_id = CASE WHEN k.expires_at <= now() THEN excluded.job_id ELSE k.job_id END,
                until = CASE WHEN k.expires_at <= now() THEN excluded.until ELSE k.until END,
                expires_at = CASE WHEN k.expires_at <= now() THEN excluded.expires_at ELSE k.expires_at END
            RETURNING key, job_id
            """;

        // A holder that is locked is being claimed; waiting for it with its key in hand could deadlock with the claim. What it waits for
        // beyond its lane it goes on waiting for. In its lane it keeps its place; in a lane without order one that is put off gives it to
        // the next. In another lane it waits to be let in, since only that may raise their number.
        public const string Replace = """
            WITH holders AS MATERIALIZED (
                SELECT j.project_id, j.id, j.lane AS lane_before, j.state = 0 AND j.wait_reason > 1 AS waits, n.kind, n.args, n.priority,
                    COALESCE(n.run_at, now()) AS run_at, COALESCE(n.max_attempts, q.max_attempts) AS max_attempts, n.retry, n.traceparent,
                    n.lane, n.tags, n.start_before, n.unique_key, n.until, n.needs, n.is_patient,
                    COALESCE(now() + make_interval(secs => n.seconds), 'infinity') AS expires_at,
                    (CASE
                        WHEN n.held_back = 3 THEN 3
                        WHEN j.state = 0 AND j.wait_reason > 1 THEN j.wait_reason
                        WHEN n.lane IS NULL OR NOT (q.lane_ordered OR q.lane_limit IS NOT NULL) THEN 0
                        WHEN j.state = 1 AND j.lane = n.lane AND (q.lane_ordered OR COALESCE(n.run_at, now()) <= now()) THEN 0
                        ELSE 1
                    END)::smallint AS back
                FROM unnest(
                    @ProjectIds::uuid[], @Ids::uuid[], @Queues::text[], @Kinds::text[], @Args::text[], @Priorities::smallint[],
                    @RunAts::timestamptz[], @MaxAttempts::smallint[], @Retries::text[], @TraceParents::text[], @Lanes::text[],
                    @Tags::text[], @StartBefores::timestamptz[], @Uniques::text[], @Untils::smallint[], @Seconds::integer[],
                    @HeldBacks::smallint[], @Needs::smallint[], @Patients::boolean[]
                ) AS n(
                    project_id, id, queue, kind, args, priority, run_at, max_attempts, retry, traceparent, lane, tags, start_before,
                    unique_key, until, seconds, held_back, needs, is_patient
                )
                JOIN jobs j ON j.project_id = n.project_id AND j.id = n.id
                JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id AND q.name = n.queue
                WHERE j.lease_until IS NULL
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j SKIP LOCKED
            ),
            replaced AS (
                UPDATE jobs j
                SET kind = h.kind, args = h.args::json, priority = h.priority, run_at = h.run_at, max_attempts = h.max_attempts,
                    retry = h.retry::json, traceparent = h.traceparent, lane = h.lane, tags = h.tags::text[],
                    start_before = h.start_before, unique_key = h.unique_key::json, attempt = 0, snoozes = 0, progress = NULL,
                    note = NULL, checkpoint = NULL, state = CASE WHEN h.back > 0 THEN 0 ELSE 1 END, wait_reason = h.back,
                    needs = CASE WHEN h.waits THEN j.needs ELSE h.needs END,
                    is_patient = CASE WHEN h.waits THEN j.is_patient ELSE h.is_patient END
                FROM holders h
                WHERE j.project_id = h.project_id AND j.id = h.id AND j.state < 2
                RETURNING j.project_id, j.id, j.queue_id, j.state, h.lane_before, j.lane, h.unique_key::json ->> 'key' AS key, h.until,
                    h.expires_at
            ),
            renewed AS (
                UPDATE job_keys k
                SET until = r.until, expires_at = r.expires_at
                FROM replaced r
                WHERE k.project_id = r.project_id AND k.key = r.key AND k.job_id = r.id
            )
            SELECT id, queue_id, state, lane_before, lane FROM replaced
            """;
    }
}
