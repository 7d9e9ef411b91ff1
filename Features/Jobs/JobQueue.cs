using System.Text.Json;
using Bellhop.Infrastructure.Http;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs;

/// <summary>Puts jobs on queues, inside the caller's transaction.</summary>
/// <remarks>
/// A job is there when the caller's transaction is, and not before. Tell <see cref="QueueSignals"/> after the commit; a missed
/// signal costs a quarter of a second, nothing more.
/// </remarks>
public static class JobQueue
{
    /// <summary>The queues every project has.</summary>
    public const string Default = "default";

    public const string Automations = "automations";

    public const string Webhooks = "webhooks";

    /// <summary>SQLSTATE of a statement that was to write for a job somebody else holds by now.</summary>
    public const string LeaseLost = "BH001";

    /// <summary>
    /// Enqueues; answers what is there now. A job on a queue that does not exist, or is not for it, is left out, as is one of a taken
    /// <c>one_of</c>, and one whose key is not its own (<see cref="JobKeys.Take"/>).
    /// </summary>
    public static async Task<IReadOnlyList<StoredJob>> EnqueueAsync(
        NpgsqlConnection connection,
        IReadOnlyList<NewJob> jobs,
        CancellationToken cancellationToken
    )
    {
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { Insert(jobs) } };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        return await ReadAsync(reader, jobs, cancellationToken);
    }

    /// <summary>What the insert of these jobs answered, where it was part of a batch.</summary>
    internal static async Task<IReadOnlyList<StoredJob>> ReadAsync(
        NpgsqlDataReader reader,
        IReadOnlyList<NewJob> jobs,
        CancellationToken cancellationToken
    )
    {
        var stored = new Dictionary<Guid, StoredJob>(jobs.Count);
        while (await reader.ReadAsync(cancellationToken))
        {
            stored.Add(reader.GetGuid(0), new StoredJob(reader.GetGuid(0), reader.GetInt16(1), reader.GetInt64(2)));
        }

        JobMetrics.CountEnqueued(stored.Count == jobs.Count ? jobs : jobs.Where(job => stored.ContainsKey(job.Id)));
        return [.. stored.Values];
    }

    /// <summary>The insert as part of a caller's batch.</summary>
    public static NpgsqlBatchCommand Insert(IReadOnlyList<NewJob> jobs) =>
        new(Sql.Insert)
        {
            Parameters =
            {
                Of("ProjectIds", NpgsqlDbType.Uuid, jobs.Select(job => job.ProjectId).ToArray()),
                Of("Ids", NpgsqlDbType.Uuid, jobs.Select(job => job.Id).ToArray()),
                Of("Queues", NpgsqlDbType.Text, jobs.Select(job => job.Queue).ToArray()),
                Of("Kinds", NpgsqlDbType.Text, jobs.Select(job => job.Kind).ToArray()),
                Of("ForWorkers", NpgsqlDbType.Boolean, jobs.Select(job => job.IsForWorkers).ToArray()),
                Of("Args", NpgsqlDbType.Text, jobs.Select(job => job.Args).ToArray()),
                Of("Priorities", NpgsqlDbType.Smallint, jobs.Select(job => job.Priority).ToArray()),
                Of("RunAts", NpgsqlDbType.TimestampTz, jobs.Select(job => job.RunAt).ToArray()),
                Of("MaxAttempts", NpgsqlDbType.Smallint, jobs.Select(job => job.MaxAttempts).ToArray()),
                Of("OneOfs", NpgsqlDbType.Uuid, jobs.Select(job => job.OneOf).ToArray()),
                Of("Retries", NpgsqlDbType.Text, jobs.Select(job => job.Retry).ToArray()),
                Of("Continuations", NpgsqlDbType.Text, jobs.Select(job => Write(job.Continuation)).ToArray()),
                Of("TraceParents", NpgsqlDbType.Text, jobs.Select(job => job.TraceParent).ToArray()),
                Of("Lanes", NpgsqlDbType.Text, jobs.Select(job => job.Lane).ToArray()),
                Of("Tags", NpgsqlDbType.Text, jobs.Select(WriteTags).ToArray()),
                Of("StartBefores", NpgsqlDbType.TimestampTz, jobs.Select(job => job.StartBefore).ToArray()),
                Of("Uniques", NpgsqlDbType.Text, jobs.Select(job => job.Unique?.ToJson()).ToArray()),
                Of("HeldBacks", NpgsqlDbType.Smallint, jobs.Select(job => (short)job.HeldBack).ToArray()),
                Of("Needs", NpgsqlDbType.Smallint, jobs.Select(job => (short?)job.Needs).ToArray()),
                Of(
                    "Patients",
                    NpgsqlDbType.Boolean,
                    jobs.Select(job => job.Needs is null ? (bool?)null : job.IsPatient).ToArray()
                ),
            },
        };

    /// <summary>Ends a job as succeeded, as a statement of its handler's own batch: what the handler wrote and the end commit together.</summary>
    /// <remarks>When the claim is no longer this one, the statement fails with SQLSTATE <see cref="LeaseLost"/> and the batch is rolled back.</remarks>
    public static NpgsqlBatchCommand Finish(ClaimedJob job, string? result) =>
        new(Sql.Finish)
        {
            Parameters =
            {
                new("ProjectId", job.ProjectId),
                new("Id", job.Id),
                new("ClaimNo", job.ClaimNo),
                new("Result", NpgsqlDbType.Text) { Value = (object?)result ?? DBNull.Value },
            },
        };

    private static string? Write(Continuation? continuation) =>
        continuation is null
            ? null
            : JsonSerializer.Serialize(
                new
                {
                    continuation.Queue,
                    continuation.Kind,
                    continuation.Args,
                },
                JsonRules.Options
            );

    // slugs: nothing in them means anything to an array's text
    internal static string? WriteTags(NewJob job) => job.Tags.Count == 0 ? null : $"{{{string.Join(',', job.Tags)}}}";

    private static NpgsqlParameter Of(string name, NpgsqlDbType type, object values) =>
        new(name, NpgsqlDbType.Array | type) { Value = values };

    private static class Sql
    {
        public const string Insert = $"""
            WITH {OpenQueues.Ctes}
            INSERT INTO jobs (
                project_id, id, queue_id, run_at, state, wait_reason, priority, max_attempts, kind, one_of, traceparent, retry,
                continuation, args, lane, tags, start_before, unique_key, needs, is_patient
            )
            SELECT
                n.project_id, n.id, q.queue_id, COALESCE(n.run_at, now()), CASE WHEN held.back > 0 THEN 0 ELSE 1 END, held.back,
                n.priority, COALESCE(n.max_attempts, q.max_attempts), n.kind, n.one_of, n.traceparent, n.retry::json,
                n.continuation::json, n.args::json, n.lane, n.tags::text[], n.start_before, n.unique_key::json, n.needs, n.is_patient
            FROM unnest(
                @ProjectIds::uuid[], @Ids::uuid[], @Queues::text[], @Kinds::text[], @Args::text[], @Priorities::smallint[],
                @RunAts::timestamptz[], @MaxAttempts::smallint[], @OneOfs::uuid[], @Retries::text[], @Continuations::text[],
                @TraceParents::text[], @Lanes::text[], @Tags::text[], @StartBefores::timestamptz[], @Uniques::text[],
                @HeldBacks::smallint[], @Needs::smallint[], @Patients::boolean[], @ForWorkers::boolean[]
            ) WITH ORDINALITY AS n(
                project_id, id, queue, kind, args, priority, run_at, max_attempts, one_of, retry, continuation, traceparent, lane, tags,
                start_before, unique_key, held_back, needs, is_patient, for_workers, position
            )
            JOIN open q ON q.project_id = n.project_id AND q.name = n.queue
            CROSS JOIN LATERAL (
                SELECT (CASE
                    WHEN n.held_back > 0 THEN n.held_back
                    WHEN n.lane IS NOT NULL AND (q.lane_ordered OR q.lane_limit IS NOT NULL) THEN 1
                    ELSE 0
                END)::smallint AS back
            ) AS held
            WHERE (NOT n.for_workers OR q.served_by = 'workers') AND (
                n.unique_key IS NULL
                OR EXISTS (
                    SELECT FROM job_keys k
                    WHERE k.project_id = n.project_id AND k.key = n.unique_key::json ->> 'key' AND k.job_id = n.id
                )
            )
            ORDER BY n.one_of, n.position
            ON CONFLICT DO NOTHING
            RETURNING id, state, queue_id
            """;

        public const string Finish = $"""
            WITH gone AS (
                DELETE FROM jobs j
                WHERE j.project_id = @ProjectId AND j.id = @Id AND j.claim_no = @ClaimNo AND j.state = 2
                RETURNING {EndedJobs.Columns}, 0::smallint AS outcome, NULL::text AS reason, @Result::json AS result, NULL::json AS error
            ),
            {EndedJobs.Kept}
            SELECT CASE WHEN EXISTS (SELECT FROM gone) THEN true ELSE lease_lost() END
            """;
    }
}
