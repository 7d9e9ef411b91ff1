using System.Text.Json;
using Bellhop.Infrastructure.Http;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Running;

/// <summary>An execution that ended and how, about to be stored.</summary>
internal sealed record Ending(ClaimedJob Job, JobOutcome Outcome);

/// <summary>The statements that end executions, many at once. Each row is guarded by its claim.</summary>
internal static class JobEndings
{
    /// <summary>The jobs are over: their rows move to the history, and what continues them is enqueued.</summary>
    /// <remarks>One that failed, or was given back, while somebody wanted it canceled, is canceled; one that succeeded has succeeded.</remarks>
    public static NpgsqlBatchCommand Finish(IReadOnlyList<Ending> endings) =>
        new(Sql.Finish)
        {
            Parameters =
            {
                Of("ProjectIds", NpgsqlDbType.Uuid, endings.Select(ending => ending.Job.ProjectId).ToArray()),
                Of("Ids", NpgsqlDbType.Uuid, endings.Select(ending => ending.Job.Id).ToArray()),
                Of("ClaimNos", NpgsqlDbType.Bigint, endings.Select(ending => ending.Job.ClaimNo).ToArray()),
                Of("Outcomes", NpgsqlDbType.Smallint, endings.Select(Number).ToArray()),
                Of("Results", NpgsqlDbType.Text, endings.Select(Result).ToArray()),
                Of("Errors", NpgsqlDbType.Text, endings.Select(ending => Error(ending.Outcome)).ToArray()),
            },
        };

    /// <summary>The jobs are ready again after a while; a released one has its attempt back. Not those that are to be canceled.</summary>
    public static NpgsqlBatchCommand GiveBack(IReadOnlyList<(Ending Ending, TimeSpan Delay)> endings) =>
        new(Sql.GiveBack)
        {
            Parameters =
            {
                Of("ProjectIds", NpgsqlDbType.Uuid, endings.Select(back => back.Ending.Job.ProjectId).ToArray()),
                Of("Ids", NpgsqlDbType.Uuid, endings.Select(back => back.Ending.Job.Id).ToArray()),
                Of("ClaimNos", NpgsqlDbType.Bigint, endings.Select(back => back.Ending.Job.ClaimNo).ToArray()),
                Of("Delays", NpgsqlDbType.Double, endings.Select(back => back.Delay.TotalSeconds).ToArray()),
                Of("Words", NpgsqlDbType.Text, endings.Select(back => Word(back.Ending.Outcome)).ToArray()),
                Of("HaveBegun", NpgsqlDbType.Boolean, endings.Select(back => HasBegun(back.Ending.Outcome)).ToArray()),
                Of("Errors", NpgsqlDbType.Text, endings.Select(back => Error(back.Ending.Outcome)).ToArray()),
            },
        };

    /// <summary>How failed jobs are retried: their own policy, else their queue's. In the order of <c>position</c>, from 1.</summary>
    public static NpgsqlBatchCommand ReadPolicies(IReadOnlyList<Ending> endings) =>
        new(Sql.ReadPolicies)
        {
            Parameters =
            {
                Of("ProjectIds", NpgsqlDbType.Uuid, endings.Select(ending => ending.Job.ProjectId).ToArray()),
                Of("Ids", NpgsqlDbType.Uuid, endings.Select(ending => ending.Job.Id).ToArray()),
            },
        };

    /// <summary>Which of these jobs nobody knew how to execute for an hour: their places, from 1.</summary>
    public static NpgsqlBatchCommand FindUnknown(IReadOnlyList<Ending> endings) =>
        new(Sql.FindUnknown)
        {
            Parameters =
            {
                Of("ProjectIds", NpgsqlDbType.Uuid, endings.Select(ending => ending.Job.ProjectId).ToArray()),
                Of("Ids", NpgsqlDbType.Uuid, endings.Select(ending => ending.Job.Id).ToArray()),
            },
        };

    /// <summary>The error as it is stored; null where there is none.</summary>
    public static string? Error(JobOutcome outcome) =>
        outcome switch
        {
            JobOutcome.Failed { Detail: { } detail } failed => JsonSerializer.Serialize(
                new
                {
                    failed.Code,
                    failed.Message,
                    Detail = JsonElement.Parse(detail),
                },
                JsonRules.Options
            ),
            JobOutcome.Failed failed => JsonSerializer.Serialize(
                new { failed.Code, failed.Message },
                JsonRules.Options
            ),
            JobOutcome.Released { IsUnknown: true } => JsonSerializer.Serialize(
                new { JobProblems.UnknownKind.Code, Message = "Whoever had it executes no jobs of its kind." },
                JsonRules.Options
            ),
            _ => null,
        };

    private static string Word(JobOutcome outcome) =>
        outcome switch
        {
            JobOutcome.Released => "released",
            JobOutcome.Snoozed => "snoozed",
            _ => "failed",
        };

    private static bool HasBegun(JobOutcome outcome) => outcome is not JobOutcome.Released { HasBegun: false };

    private static short Number(Ending ending) =>
        ending.Outcome switch
        {
            JobOutcome.Succeeded => 0,
            JobOutcome.Failed => 1,
            JobOutcome.Expired => 3,
            _ => 2,
        };

    private static string? Result(Ending ending) => (ending.Outcome as JobOutcome.Succeeded)?.Result;

    private static NpgsqlParameter Of(string name, NpgsqlDbType type, object values) =>
        new(name, NpgsqlDbType.Array | type) { Value = values };

    internal static class Sql
    {
        // Each row is looked for by its key, and then reached by its place in the table: joined by keys, the planner would read the
        // whole of an index where the table was empty when it made its plan, which is kept. A row that was written meanwhile may
        // have moved: the last row says how many were found, and what was found and not reached is stored by another try. A lease
        // says "running" as state = 2 does, and fits no partial index. They come sorted, so that two statements cannot deadlock.
        public const string Finish = $"""
            WITH found AS MATERIALIZED (
                SELECT f.place, s.claim_no, s.outcome, s.result, s.error
                FROM unnest(
                    @ProjectIds::uuid[], @Ids::uuid[], @ClaimNos::bigint[], @Outcomes::smallint[], @Results::text[], @Errors::text[]
                ) AS s(project_id, id, claim_no, outcome, result, error)
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place
                    FROM jobs j
                    WHERE j.project_id = s.project_id AND j.id = s.id AND j.claim_no = s.claim_no AND j.lease_until IS NOT NULL
                        AND (s.outcome <> 2 OR j.cancel_requested_at IS NOT NULL)
                    LIMIT 1
                ) AS f
            ),
            gone AS (
                DELETE FROM jobs j
                USING found f
                WHERE j.ctid = f.place AND j.claim_no = f.claim_no AND j.lease_until IS NOT NULL
                    AND (f.outcome <> 2 OR j.cancel_requested_at IS NOT NULL)
                RETURNING {EndedJobs.Columns}, CASE WHEN f.outcome = 1 AND j.cancel_requested_at IS NOT NULL THEN 2::smallint ELSE f.outcome END AS outcome,
                    CASE
                        WHEN f.outcome = 3 THEN 'start_before'
                        WHEN f.outcome = 2 OR (f.outcome = 1 AND j.cancel_requested_at IS NOT NULL) THEN 'canceled'
                    END AS reason,
                    f.result::json, f.error::json
            ),
            noted AS (
                INSERT INTO job_attempts (project_id, job_id, claim_no, attempt, outcome, worker_id, started_at, error)
                SELECT project_id, id, claim_no, attempt, 'failed', worker_id, claimed_at, error
                FROM gone
                WHERE error IS NOT NULL
            ),
            {EndedJobs.Kept}
            SELECT id, claim_no, continuation IS NOT NULL AS has_more, outcome = 2 AS is_canceled, has_children
            FROM gone
            UNION ALL
            SELECT NULL, count(*), false, false, false
            FROM found
            """;

        // In a lane without order, a job that waits for its next attempt gives its place to others meanwhile. What has begun is not
        // to start before any time any more, whatever is given back.
        public const string GiveBack = """
            WITH found AS MATERIALIZED (
                SELECT f.place, f.parks, f.attempt, s.claim_no, s.delay, s.word, s.has_begun, s.error
                FROM unnest(
                    @ProjectIds::uuid[], @Ids::uuid[], @ClaimNos::bigint[], @Delays::float8[], @Words::text[], @HaveBegun::boolean[],
                    @Errors::text[]
                ) AS s(project_id, id, claim_no, delay, word, has_begun, error)
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place, j.attempt, j.lane IS NOT NULL AND q.lane_limit IS NOT NULL AND NOT q.lane_ordered AS parks
                    FROM jobs j
                    JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
                    WHERE j.project_id = s.project_id AND j.id = s.id AND j.claim_no = s.claim_no AND j.lease_until IS NOT NULL
                        AND j.cancel_requested_at IS NULL
                    LIMIT 1
                ) AS f
            ),
            back AS (
                UPDATE jobs j
                SET state = CASE WHEN f.parks THEN 0 ELSE 1 END, wait_reason = CASE WHEN f.parks THEN 1 ELSE 0 END,
                    lease_until = NULL, run_at = now() + make_interval(secs => f.delay),
                    attempt = j.attempt - CASE WHEN f.word = 'failed' THEN 0 ELSE 1 END,
                    snoozes = j.snoozes + CASE WHEN f.word = 'snoozed' THEN 1 ELSE 0 END,
                    start_before = CASE WHEN f.has_begun THEN NULL ELSE j.start_before END
                FROM found f
                WHERE j.ctid = f.place AND j.claim_no = f.claim_no AND j.lease_until IS NOT NULL AND j.cancel_requested_at IS NULL
                RETURNING j.project_id, j.id, j.claim_no, f.attempt, j.worker_id, j.claimed_at, f.word, f.error, f.delay
            ),
            noted AS (
                INSERT INTO job_attempts (project_id, job_id, claim_no, attempt, outcome, worker_id, started_at, error)
                SELECT project_id, id, claim_no, attempt, word, worker_id,
                    claimed_at, error::json
                FROM back
            )
            SELECT id, claim_no, delay = 0 AS has_more, false AS is_canceled, false AS has_children
            FROM back
            UNION ALL
            SELECT NULL, count(*), false, false, false
            FROM found
            """;

        // an hour without a sign that anybody knew it: it did not fail, nor was it snoozed or lost, since it was first unknown
        public const string FindUnknown = """
            SELECT s.position
            FROM unnest(@ProjectIds::uuid[], @Ids::uuid[]) WITH ORDINALITY AS s(project_id, id, position)
            WHERE (
                SELECT min(a.at) FILTER (WHERE a.error ->> 'code' = 'unknown_kind')
                FROM job_attempts a
                WHERE a.project_id = s.project_id AND a.job_id = s.id AND a.outcome = 'released'
                    AND NOT EXISTS (
                        SELECT
                        FROM job_attempts o
                        WHERE o.project_id = s.project_id AND o.job_id = s.id AND o.at > a.at AND o.outcome <> 'released'
                    )
            ) < now() - interval '1 hour'
            """;

        public const string ReadPolicies = """
            SELECT s.position, COALESCE(j.retry, q.retry)
            FROM unnest(@ProjectIds::uuid[], @Ids::uuid[]) WITH ORDINALITY AS s(project_id, id, position)
            JOIN jobs j ON j.project_id = s.project_id AND j.id = s.id
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            """;
    }
}
