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
            _ => null,
        };

    private static string Word(JobOutcome outcome) =>
        outcome switch
        {
            JobOutcome.Released => "released",
            JobOutcome.Snoozed => "snoozed",
            _ => "failed",
        };

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

    private static class Sql
    {
        // A lease says "running" as state = 2 does, and fits no partial index: each row must be found by its key, whatever the
        // statistics of a moment say. Rows are locked in one order, so that two statements cannot deadlock.
        public const string Finish = $"""
            WITH held AS MATERIALIZED (
                SELECT j.project_id, j.id, j.claim_no, s.result, s.error,
                    CASE WHEN s.outcome = 1 AND j.cancel_requested_at IS NOT NULL THEN 2::smallint ELSE s.outcome END AS outcome
                FROM unnest(
                    @ProjectIds::uuid[], @Ids::uuid[], @ClaimNos::bigint[], @Outcomes::smallint[], @Results::text[], @Errors::text[]
                ) AS s(project_id, id, claim_no, outcome, result, error)
                JOIN jobs j ON j.project_id = s.project_id AND j.id = s.id
                WHERE j.claim_no = s.claim_no AND j.lease_until IS NOT NULL
                    AND (s.outcome <> 2 OR j.cancel_requested_at IS NOT NULL)
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j
            ),
            gone AS (
                DELETE FROM jobs j
                USING held h
                WHERE j.project_id = h.project_id AND j.id = h.id AND j.claim_no = h.claim_no
                RETURNING {EndedJobs.Columns}, h.outcome, CASE h.outcome WHEN 2 THEN 'canceled' WHEN 3 THEN 'start_before' END AS reason, h.result::json,
                    h.error::json
            ),
            noted AS (
                INSERT INTO job_attempts (project_id, job_id, claim_no, attempt, outcome, worker_id, started_at, error)
                SELECT project_id, id, claim_no, attempt, 'failed', worker_id, claimed_at, error
                FROM gone
                WHERE error IS NOT NULL
            ),
            {EndedJobs.Kept}
            SELECT id, claim_no, continuation IS NOT NULL AS has_more, outcome = 2 AS is_canceled, has_children FROM gone
            """;

        // In a lane without order, a job that waits for its next attempt gives its place to others meanwhile.
        public const string GiveBack = """
            WITH held AS MATERIALIZED (
                SELECT j.project_id, j.id, j.claim_no, j.attempt, j.worker_id, j.claimed_at, s.delay, s.word, s.error,
                    j.lane IS NOT NULL AND q.lane_limit IS NOT NULL AND NOT q.lane_ordered AS parks
                FROM unnest(
                    @ProjectIds::uuid[], @Ids::uuid[], @ClaimNos::bigint[], @Delays::float8[], @Words::text[], @Errors::text[]
                ) AS s(project_id, id, claim_no, delay, word, error)
                JOIN jobs j ON j.project_id = s.project_id AND j.id = s.id
                JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
                WHERE j.claim_no = s.claim_no AND j.lease_until IS NOT NULL AND j.cancel_requested_at IS NULL
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j
            ),
            back AS (
                UPDATE jobs j
                SET state = CASE WHEN h.parks THEN 0 ELSE 1 END, wait_reason = CASE WHEN h.parks THEN 1 ELSE 0 END,
                    lease_until = NULL, run_at = now() + make_interval(secs => h.delay),
                    attempt = j.attempt - CASE WHEN h.word = 'failed' THEN 0 ELSE 1 END,
                    snoozes = j.snoozes + CASE WHEN h.word = 'snoozed' THEN 1 ELSE 0 END
                FROM held h
                WHERE j.project_id = h.project_id AND j.id = h.id AND j.claim_no = h.claim_no
                RETURNING j.project_id, j.id, j.claim_no, h.attempt, h.worker_id, h.claimed_at, h.word, h.error, h.delay
            ),
            noted AS (
                INSERT INTO job_attempts (project_id, job_id, claim_no, attempt, outcome, worker_id, started_at, error)
                SELECT project_id, id, claim_no, attempt, word, worker_id,
                    claimed_at, error::json
                FROM back
            )
            SELECT id, claim_no, delay = 0 AS has_more, false AS is_canceled, false AS has_children FROM back
            """;

        public const string ReadPolicies = """
            SELECT s.position, COALESCE(j.retry, q.retry)
            FROM unnest(@ProjectIds::uuid[], @Ids::uuid[]) WITH ORDINALITY AS s(project_id, id, position)
            JOIN jobs j ON j.project_id = s.project_id AND j.id = s.id
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            """;
    }
}
