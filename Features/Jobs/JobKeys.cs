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

    /// <summary>Makes holders that have not begun the jobs that were asked for in their place; answers which it reached.</summary>
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
            },
        };

    private static NpgsqlParameter Of(string name, NpgsqlDbType type, object values) =>
        new(name, NpgsqlDbType.Array | type) { Value = values };

    private static class Sql
    {
        // one key once, since a statement may not touch a row twice; a queue that is not there takes none
        public const string Take = """
            WITH first AS (
                SELECT DISTINCT ON (n.project_id, n.key) n.project_id, n.id, n.key, n.until,
                    COALESCE(now() + make_interval(secs => n.seconds), 'infinity') AS expires_at
                FROM unnest(
                    @ProjectIds::uuid[], @Ids::uuid[], @Queues::text[], @Keys::text[], @Untils::smallint[], @Seconds::integer[]
                ) WITH ORDINALITY AS n(project_id, id, queue, key, until, seconds, position)
                JOIN queues q ON q.project_id = n.project_id AND q.name = n.queue AND q.deleted_at IS NULL
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

        // a holder that is locked is being claimed; waiting for it with its key in hand could deadlock with the claim. In a lane without
        // order one that is put off gives its place to the next.
        public const string Replace = """
            WITH holders AS MATERIALIZED (
                SELECT j.project_id, j.id, n.kind, n.args, n.priority, n.run_at,
                    j.state = 1 AND j.lane IS NOT NULL AND q.lane_limit IS NOT NULL AND NOT q.lane_ordered AND n.run_at > now() AS parks
                FROM unnest(
                    @ProjectIds::uuid[], @Ids::uuid[], @Queues::text[], @Kinds::text[], @Args::text[], @Priorities::smallint[],
                    @RunAts::timestamptz[]
                ) AS n(project_id, id, queue, kind, args, priority, run_at)
                JOIN jobs j ON j.project_id = n.project_id AND j.id = n.id
                JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id AND q.name = n.queue
                WHERE j.lease_until IS NULL
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j SKIP LOCKED
            )
            UPDATE jobs j
            SET kind = h.kind, args = h.args::json, priority = h.priority, run_at = COALESCE(h.run_at, now()),
                state = CASE WHEN h.parks THEN 0 ELSE j.state END, wait_reason = CASE WHEN h.parks THEN 1 ELSE j.wait_reason END
            FROM holders h
            WHERE j.project_id = h.project_id AND j.id = h.id AND j.state < 2
            RETURNING j.id, CASE WHEN j.lane IS NOT NULL THEN j.queue_id END AS lane_queue_id, j.lane
            """;
    }
}
