using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>One job with every attempt that did not succeed.</summary>
/// <param name="State"><c>waiting ready running succeeded failed canceled expired</c>.</param>
/// <param name="Attempt">The number of the last attempt begun; 0 before the first.</param>
/// <param name="RunAt">When it is or was due.</param>
/// <param name="ClaimedAt">When the last attempt began.</param>
/// <param name="WaitReason">Why it waits: <c>lane jobs held</c>; null: it does not.</param>
/// <param name="Reason">What ended it other than its handler, such as <c>canceled</c>.</param>
/// <param name="CancelRequestedAt">Since when it runs although it is to be canceled.</param>
/// <param name="StartBefore">Not begun by then, it expires.</param>
/// <param name="Lane">Jobs of one lane run a few at once, or one after the other.</param>
/// <param name="Progress">From 0 to 1, as its handler tells.</param>
/// <param name="Note">What its handler says it is doing.</param>
/// <param name="Args">Left out for callers without <c>data:read</c>, as is the result.</param>
public sealed record JobView(
    Guid Id,
    [property: MaxLength(100)] string Queue,
    [property: MaxLength(100)] string Kind,
    [property: WordOf(typeof(JobState))] string State,
    short Attempt,
    short MaxAttempts,
    [property: Range(1, 4)] short Priority,
    DateTime CreatedAt,
    DateTime RunAt,
    DateTime? ClaimedAt,
    DateTime? FinishedAt,
    [property: WordOf(typeof(WaitReason))] string? WaitReason,
    [property: MaxLength(100)] string? Reason,
    DateTime? CancelRequestedAt,
    DateTime? StartBefore,
    [property: MaxLength(200)] string? Lane,
    [property: MaxLength(20), Each(200)] IReadOnlyList<string> Tags,
    [property: Range(0, 1)] float? Progress,
    [property: MaxLength(1_000)] string? Note,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), AnyObject] JsonElement? Args,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? Result,
    [property: AnyObject] JsonElement? Error,
    [property: MaxLength(1_000)] IReadOnlyList<JobAttempt> Attempts
) : IExampled<JobView>
{
    public static JobView Example =>
        new(
            Story.Job,
            "default",
            "log",
            "succeeded",
            1,
            20,
            3,
            Story.After(12),
            Story.After(12),
            Story.After(14),
            Story.After(15),
            null,
            null,
            null,
            null,
            null,
            [],
            null,
            null,
            Story.Json("""{"message":"ticket 7 about order 1042"}"""),
            Story.Json("null"),
            null,
            []
        );
}

/// <summary>Shows jobs to a caller.</summary>
internal sealed class JobViews(NpgsqlDataSource database, Caller caller)
{
    /// <summary>Whether the caller sees such a job.</summary>
    public async Task<bool> IsThereAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.ExecuteScalarAsync<bool>(
            Sql.IsThere.With(
                new
                {
                    caller.ProjectId,
                    Id = id,
                    caller.ReachQueues,
                },
                cancellationToken
            )
        );
    }

    /// <summary>Null: the caller sees no such job.</summary>
    public async Task<JobView?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var snapshot = await connection.BeginSnapshotAsync(cancellationToken);
        return await FindAsync(connection, id, cancellationToken);
    }

    /// <summary>The same in the caller's transaction, which holds the job as it is.</summary>
    public async Task<JobView?> FindAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        var key = new { caller.ProjectId, Id = id };
        var job = await connection.QuerySingleOrDefaultAsync<JobRow>(Sql.Find.With(key, cancellationToken));
        if (job is null || !caller.Reaches(new Traced(job.Queue)))
        {
            return null;
        }

        var attempts = await connection.QueryAsync<JobAttemptRow>(Sql.ListAttempts.With(key, cancellationToken));
        return ToView(job, [.. attempts.Select(attempt => attempt.ToAttempt())]);
    }

    private JobView ToView(JobRow job, IReadOnlyList<JobAttempt> attempts)
    {
        var showsData = caller.May(Permissions.DataRead);
        return new JobView(
            job.Id,
            job.Queue,
            job.Kind,
            JobState.Of(job.State, job.Outcome),
            job.Attempt,
            job.MaxAttempts,
            job.Priority,
            job.CreatedAt,
            job.RunAt,
            job.ClaimedAt,
            job.FinishedAt,
            WaitReason.Of(job.WaitReason),
            job.Reason,
            job.CancelRequestedAt,
            job.StartBefore,
            job.Lane,
            job.Tags ?? [],
            job.Progress,
            job.Note,
            showsData ? StoredJson.Read(job.Args) : null,
            showsData ? StoredJson.Read(job.Result) : null,
            StoredJson.Read(job.Error),
            attempts
        );
    }

    private static class Sql
    {
        // in one statement, so that a job which ends meanwhile is seen in one of its tables
        public const string IsThere = """
            SELECT EXISTS (
                SELECT FROM (
                    SELECT queue_id FROM jobs WHERE project_id = @ProjectId AND id = @Id
                    UNION ALL
                    SELECT queue_id
                    FROM job_history
                    WHERE project_id = @ProjectId AND id = @Id AND finished_at >= id_time(@Id) - interval '1 minute'
                ) AS j
                JOIN queues q ON q.project_id = @ProjectId AND q.queue_id = j.queue_id
                WHERE @ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues)
            )
            """;

        // a job is in one of the two tables in every snapshot; the bound spares the history's days before it was made
        public const string Find = """
            SELECT j.id, q.name AS queue, j.kind, j.state, NULL::smallint AS outcome, j.attempt, j.max_attempts, j.priority,
                id_time(j.id) AS created_at, j.run_at, j.claimed_at, NULL::timestamptz AS finished_at, j.args, NULL::json AS result,
                NULL::json AS error, j.wait_reason, NULL::text AS reason, j.cancel_requested_at, j.start_before, j.lane, j.tags,
                j.progress, j.note
            FROM jobs j
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            WHERE j.project_id = @ProjectId AND j.id = @Id
            UNION ALL
            SELECT h.id, q.name, h.kind, NULL, h.outcome, h.attempt, h.max_attempts, h.priority, id_time(h.id), h.run_at,
                h.claimed_at, h.finished_at, h.args, h.result, h.error, 0::smallint, h.reason, NULL, NULL, h.lane, h.tags, NULL, NULL
            FROM job_history h
            JOIN queues q ON q.project_id = h.project_id AND q.queue_id = h.queue_id
            WHERE h.project_id = @ProjectId AND h.id = @Id AND h.finished_at >= id_time(@Id) - interval '1 minute'
            """;

        public const string ListAttempts = """
            SELECT attempt, outcome, started_at, at, error
            FROM job_attempts
            WHERE project_id = @ProjectId AND job_id = @Id AND at >= id_time(@Id) - interval '1 minute'
            ORDER BY at, claim_no
            LIMIT 1000
            """;
    }
}
