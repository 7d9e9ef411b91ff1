using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Webhooks;

/// <summary>An endpoint as its sender needs it.</summary>
/// <param name="Version">Another one: the row was changed.</param>
internal sealed record SendingEndpoint(
    Guid Id,
    string Url,
    bool IsActive,
    short Concurrency,
    RetryPolicy Retry,
    IReadOnlyList<byte[]> Keys,
    string Version
);

/// <summary>The statements by which a sender takes deliveries and writes what became of them.</summary>
/// <remarks>
/// A delivery that is being sent carries its sender's job and claim, and only they may write its outcome: whoever comes after a
/// sender that went silent takes over what it left, and what that one writes later finds nothing.
/// </remarks>
internal sealed class DeliveryLedger(NpgsqlDataSource database, SecretBox box, TimeProvider clock)
{
    /// <summary>How many are taken at once.</summary>
    public const int Batch = 100;

    private static readonly TimeSpan Reach = TimeSpan.FromDays(8);

    public async Task<SendingEndpoint?> FindEndpointAsync(
        Guid projectId,
        Guid endpointId,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var row = await connection.QuerySingleOrDefaultAsync<SealedEndpoint>(
            Sql.FindEndpoint.With(new { ProjectId = projectId, EndpointId = endpointId }, cancellationToken)
        );
        return row?.Open(box, projectId);
    }

    /// <summary>Whether a sender may go on: its endpoint is as it was, and no other sender waits for a free slot.</summary>
    public async Task<bool> MayGoOnAsync(ClaimedJob job, SendingEndpoint endpoint, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<bool>(
            Sql.MayGoOn.With(
                new
                {
                    job.ProjectId,
                    EndpointId = endpoint.Id,
                    endpoint.Version,
                },
                cancellationToken
            )
        );
    }

    /// <summary>Takes what is due, and what a silent sender left; numbers what is sent for the first time.</summary>
    public async Task<IReadOnlyList<TakenDelivery>> TakeAsync(
        ClaimedJob job,
        Guid endpointId,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var taken = await connection.QueryAsync<TakenRow>(
            Sql.Take.With(
                new
                {
                    job.ProjectId,
                    JobId = job.Id,
                    job.ClaimNo,
                    EndpointId = endpointId,
                    Floor = Floor(clock),
                },
                cancellationToken
            )
        );
        var rows = taken.AsList();
        var lost = rows.Count(row => row.WasLost);
        if (lost > 0)
        {
            WebhookMetrics.CountLost(lost);
        }

        return rows.ConvertAll(row => row.ToDelivery());
    }

    /// <summary>Writes attempts and what they make of their deliveries, in one statement.</summary>
    public async Task SettleAsync(
        ClaimedJob job,
        IReadOnlyCollection<Attempt> attempts,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            job.ProjectId,
            JobId = job.Id,
            job.ClaimNo,
            Floor = Floor(clock),
            Ids = attempts.Select(attempt => attempt.Delivery.Id).ToArray(),
            Numbers = attempts.Select(attempt => attempt.Delivery.Attempt).ToArray(),
            Ats = attempts.Select(attempt => attempt.At).ToArray(),
            Statuses = attempts.Select(attempt => (short?)attempt.Status).ToArray(),
            Errors = attempts.Select(attempt => attempt.Verdict.Error).ToArray(),
            Durations = attempts.Select(attempt => (int)attempt.Duration.TotalMilliseconds).ToArray(),
            Responses = attempts.Select(attempt => attempt.Response).ToArray(),
            States = attempts.Select(attempt => attempt.Verdict.State).ToArray(),
            Delays = attempts.Select(attempt => attempt.Verdict.RetryAfter?.TotalSeconds).ToArray(),
        };
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(Sql.Settle.With(arguments, cancellationToken));
    }

    /// <summary>Gives back what was taken and not sent, as if it had not been taken.</summary>
    public async Task GiveBackAsync(
        ClaimedJob job,
        IReadOnlyCollection<TakenDelivery> deliveries,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            job.ProjectId,
            JobId = job.Id,
            job.ClaimNo,
            Floor = Floor(clock),
            Ids = deliveries.Select(delivery => delivery.Id).ToArray(),
        };
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(Sql.GiveBack.With(arguments, cancellationToken));
    }

    /// <summary>Ends what waits for an endpoint that is disabled.</summary>
    public async Task DisableAsync(ClaimedJob job, Guid endpointId, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(
            Sql.Disable.With(
                new
                {
                    job.ProjectId,
                    EndpointId = endpointId,
                    Floor = Floor(clock),
                },
                cancellationToken
            )
        );
    }

    /// <summary>Ends the sender's job.</summary>
    public async Task FinishAsync(ClaimedJob job, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { JobQueue.Finish(job, null) } };
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Older deliveries are not looked at: the partitions that hold them are left alone.</summary>
    public static Guid Floor(TimeProvider clock) => DerivedId.At(clock.GetUtcNow() - Reach);

    // not by constructor: Dapper cannot give an array to one
    private sealed record SealedEndpoint
    {
        public required Guid Id { get; init; }

        public required string Url { get; init; }

        public required bool IsActive { get; init; }

        public required short Concurrency { get; init; }

        public string? Retry { get; init; }

        public required string[] Secrets { get; init; }

        public required string Version { get; init; }

        public SendingEndpoint Open(SecretBox box, Guid projectId) =>
            new(
                Id,
                Url,
                IsActive,
                Concurrency,
                RetrySchedule.Read(Retry),
                [.. Secrets.Select(secret => EndpointSecret.Open(box, secret, projectId, Id))],
                Version
            );
    }

    private sealed record TakenRow(
        Guid Id,
        long Sequence,
        short Attempts,
        bool WasLost,
        DateTime CreatedAt,
        string EventId,
        string Type,
        string Source,
        string? Subject,
        DateTime Timestamp,
        string? Data,
        string? DataBase64,
        string? TraceParent
    )
    {
        public TakenDelivery ToDelivery() =>
            new(
                Id,
                Sequence,
                Attempts,
                CreatedAt,
                EventId,
                Type,
                Source,
                Subject,
                Timestamp,
                Data,
                DataBase64,
                TraceParent
            );
    }

    private static class Sql
    {
        public const string FindEndpoint = """
            SELECT id, url, state = 'active' AS is_active, concurrency, retry::text AS retry, secrets, xmin::text AS version
            FROM webhook_endpoints
            WHERE project_id = @ProjectId AND id = @EndpointId
            """;

        // Engine-wide: slots are shared by the senders of all projects; who has waited longer than a claim takes waits for one. In the
        // index's order: without one the planner reads the table of jobs until it meets a ready one, and all of it for a queue without.
        public const string MayGoOn = """
            SELECT
                EXISTS (
                    SELECT FROM webhook_endpoints
                    WHERE project_id = @ProjectId AND id = @EndpointId AND xmin::text = @Version
                )
                AND NOT EXISTS (
                    SELECT FROM queues q
                    CROSS JOIN LATERAL (
                        SELECT j.run_at
                        FROM jobs j
                        WHERE j.queue_id = q.queue_id AND j.state = 1
                        ORDER BY j.priority, j.run_at, j.seq
                        LIMIT 1
                    ) AS next
                    WHERE q.name = 'webhooks' AND q.paused_at IS NULL AND next.run_at < now() - interval '1 second'
                )
            """;

        // The job's row is locked until the commit: nobody claims it anew between the check and the taking. Deliveries that are
        // locked are skipped, so a taking never waits for an outcome while it holds others. `lost` began unknown when; it was due then.
        public const string Take = """
            WITH held AS MATERIALIZED (
                SELECT id
                FROM jobs
                WHERE project_id = @ProjectId AND id = @JobId AND claim_no = @ClaimNo AND state = 2
                FOR SHARE
            ),
            due AS MATERIALIZED (
                SELECT id, state, sequence, attempts, next_attempt_at
                FROM deliveries
                WHERE project_id = @ProjectId AND endpoint_id = @EndpointId
                    AND id >= @Floor
                    AND state IN ('pending', 'sending') AND next_attempt_at <= now()
                    AND (state = 'pending' OR (sender_job, sender_claim) IS DISTINCT FROM (@JobId::uuid, @ClaimNo::bigint))
                    AND EXISTS (SELECT FROM held)
                ORDER BY next_attempt_at, id
                LIMIT 100
                FOR UPDATE SKIP LOCKED
            ),
            unnumbered AS (
                SELECT id, row_number() OVER (ORDER BY next_attempt_at, id) AS place FROM due WHERE sequence IS NULL
            ),
            counter AS (
                INSERT INTO delivery_sequences AS s (project_id, endpoint_id, next)
                SELECT @ProjectId, @EndpointId, 1 + count(*) FROM unnumbered HAVING count(*) > 0
                ON CONFLICT (project_id, endpoint_id) DO UPDATE SET next = s.next + EXCLUDED.next - 1
                RETURNING next
            ),
            numbered AS (
                SELECT u.id, c.next - (SELECT count(*) FROM unnumbered) - 1 + u.place AS sequence
                FROM unnumbered u
                CROSS JOIN counter c
            ),
            lost AS (
                INSERT INTO delivery_attempts (project_id, delivery_id, attempt, at, error)
                SELECT @ProjectId, id, attempts, next_attempt_at, 'lost' FROM due WHERE state = 'sending'
                ON CONFLICT DO NOTHING
            ),
            taken AS (
                UPDATE deliveries d
                SET state = 'sending', attempts = d.attempts + 1, sender_job = @JobId, sender_claim = @ClaimNo,
                    sequence = COALESCE(d.sequence, n.sequence)
                FROM due LEFT JOIN numbered n ON n.id = due.id
                WHERE d.project_id = @ProjectId AND d.id = due.id
                    AND d.id = ANY (ARRAY(SELECT id FROM due))
                    AND d.id >= (SELECT id FROM due ORDER BY id LIMIT 1)
                    AND d.id <= (SELECT id FROM due ORDER BY id DESC LIMIT 1)
                RETURNING d.id, d.event_id, d.sequence, d.attempts, d.created_at, d.next_attempt_at,
                    due.state = 'sending' AS was_lost
            )
            SELECT
                t.id, t.sequence, t.attempts, t.was_lost, t.created_at, e.event_id, e.type, e.source, e.subject,
                COALESCE(e.time, e.received_at) AS timestamp, e.data::text AS data,
                e.attributes ->> 'data_base64' AS data_base64, e.traceparent AS trace_parent
            FROM taken t
            CROSS JOIN LATERAL (
                SELECT event_id, type, source, subject, time, received_at, data, attributes, traceparent
                FROM events
                WHERE project_id = @ProjectId AND id = t.event_id
                LIMIT 1
            ) AS e
            ORDER BY t.next_attempt_at, t.id
            """;

        // The array beside the join lets each partition's key be used, whatever the planner knows of the tables.
        public const string Settle = """
            WITH attempt AS MATERIALIZED (
                SELECT *
                FROM unnest(
                    @Ids::uuid[], @Numbers::smallint[], @Ats::timestamptz[], @Statuses::smallint[], @Errors::text[],
                    @Durations::integer[], @Responses::bytea[], @States::text[], @Delays::float8[]
                ) AS a(id, number, at, status, error, duration_ms, response, state, delay)
            ),
            settled AS (
                UPDATE deliveries d
                SET state = a.state, next_attempt_at = now() + make_interval(secs => a.delay),
                    finished_at = CASE WHEN a.state = 'pending' THEN NULL ELSE now() END,
                    sender_job = NULL, sender_claim = NULL
                FROM attempt a
                WHERE d.project_id = @ProjectId AND d.id = a.id AND d.attempts = a.number
                    AND d.id = ANY (@Ids::uuid[]) AND d.id >= @Floor
                    AND d.state = 'sending' AND d.sender_job = @JobId AND d.sender_claim = @ClaimNo
                RETURNING d.id
            )
            INSERT INTO delivery_attempts (project_id, delivery_id, attempt, at, status, error, duration_ms, response)
            SELECT @ProjectId, a.id, a.number, a.at, a.status, a.error, a.duration_ms, a.response
            FROM attempt a
            JOIN settled s ON s.id = a.id
            ON CONFLICT DO NOTHING
            """;

        public const string GiveBack = """
            UPDATE deliveries
            SET state = 'pending', attempts = attempts - 1, sender_job = NULL, sender_claim = NULL
            WHERE project_id = @ProjectId AND id = ANY (@Ids::uuid[]) AND id >= @Floor
                AND state = 'sending' AND sender_job = @JobId AND sender_claim = @ClaimNo
            """;

        public const string Disable = """
            UPDATE deliveries
            SET state = CASE
                    WHEN EXISTS (
                        SELECT FROM webhook_endpoints
                        WHERE project_id = @ProjectId AND id = @EndpointId AND deleted_at IS NULL
                    ) THEN 'disabled'
                    ELSE 'canceled'
                END,
                next_attempt_at = NULL, finished_at = now(), sender_job = NULL, sender_claim = NULL
            WHERE project_id = @ProjectId AND endpoint_id = @EndpointId
                AND id >= @Floor AND state IN ('pending', 'sending')
            """;
    }
}
