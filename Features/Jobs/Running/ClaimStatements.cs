namespace Bellhop.Features.Jobs.Running;

/// <summary>The statements that claim: whoever claims, a job is picked and taken by the same words.</summary>
/// <remarks>
/// Each begins with <c>wanted</c>, the queues to look at: how many jobs the <c>pool</c> they share may take (<c>free</c>), how many of
/// each queue to look at (<c>quota</c>), whose turn it is (<c>tag</c>, <see cref="FairShares"/>), how many <c>starts</c> it had, and how
/// often a job may have been lost (<c>lost_below</c>), and the place before which there is none that is ready (<c>first_…</c>).
/// </remarks>
internal static class ClaimStatements
{
    internal static class Sql
    {
        /// <summary>The service's queues without a limit: all that are ready.</summary>
        // Queues with work are found by jumping through jobs_ready, so queues without any cost nothing. What stands before the first job
        // of a queue is passed over once: while a transaction is held open, all that began since is still there.
        public const string Whole = $"""
            WITH RECURSIVE ready AS (
                (
                    SELECT project_id, queue_id, priority, run_at, seq
                    FROM jobs
                    WHERE state = 1
                    ORDER BY queue_id, priority, run_at, seq
                    LIMIT 1
                )
                UNION ALL
                SELECT following.*
                FROM ready r
                CROSS JOIN LATERAL (
                    SELECT j.project_id, j.queue_id, j.priority, j.run_at, j.seq
                    FROM jobs j
                    WHERE j.state = 1 AND j.queue_id > r.queue_id
                    ORDER BY j.queue_id, j.priority, j.run_at, j.seq
                    LIMIT 1
                ) AS following
            ),
            {OfTheService}
            """;

        /// <summary>The same for queues that were ready when all were looked at, each from where its last claim ended.</summary>
        public const string Onward = $"""
            WITH ready AS (
                SELECT r.project_id, r.queue_id, 1::smallint AS priority, timestamptz '-infinity' AS run_at, 0::bigint AS seq
                FROM unnest(@ReadyProjects::uuid[], @ReadyQueues::bigint[]) AS r(project_id, queue_id)
            ),
            {OfTheService}
            """;

        /// <summary>Locks a queue with a limit for the claim that follows in the same transaction.</summary>
        // Two statements, since one alone would count by the snapshot it took before it had the lock. Who comes second does not
        // wait: it is told nothing, and takes nothing.
        public const string Lock = """
            WITH free AS MATERIALIZED (
                SELECT queue_id FROM queues WHERE project_id = @ProjectId AND queue_id = @QueueId FOR NO KEY UPDATE SKIP LOCKED
            )
            SELECT set_config('bellhop.claims', COALESCE((SELECT queue_id::text FROM free), ''), true)
            """;

        /// <summary>One queue with a limit: as many as <c>max_running</c> and the rate leave of what is asked for.</summary>
        public const string Limited = $"""
            WITH room AS MATERIALIZED (
                SELECT q.project_id, q.queue_id, q.name, q.lease_seconds, q.max_run_seconds, q.weight, q.rate_burst,
                    GREATEST(now(), r.next_at) AS next_at,
                    make_interval(secs => q.rate_seconds::float8 / q.rate_count) AS pace,
                    GREATEST(0, LEAST(
                        @Free,
                        q.max_running - (
                            SELECT count(*)
                            FROM jobs j
                            WHERE j.project_id = @ProjectId AND j.queue_id = q.queue_id AND j.state = 2
                        ),
                        floor(
                            q.rate_burst
                            - extract(epoch FROM GREATEST(now(), r.next_at) - now())::float8 * q.rate_count / q.rate_seconds
                        )
                    ))::integer AS free
                FROM queues q
                LEFT JOIN queue_rates r ON r.project_id = q.project_id AND r.queue_id = q.queue_id
                WHERE q.project_id = @ProjectId AND q.queue_id = @QueueId AND q.paused_at IS NULL
                    AND current_setting('bellhop.claims', true) = q.queue_id::text
            ),
            wanted AS (
                SELECT project_id, queue_id, name, name AS pool, lease_seconds, max_run_seconds, weight, free, free AS quota, 0::float8 AS tag,
                    @Starts::bigint AS starts, @LostBelow::integer AS lost_below, {FromTheBeginning}
                FROM room
                WHERE free > 0
            ),
            {Taking},
            paced AS (
                INSERT INTO queue_rates (project_id, queue_id, next_at)
                SELECT project_id, queue_id, next_at + pace * (SELECT count(*) FROM taken)
                FROM room
                WHERE pace IS NOT NULL AND EXISTS (SELECT FROM taken)
                ON CONFLICT (project_id, queue_id) DO UPDATE SET next_at = excluded.next_at
            )
            SELECT COALESCE((SELECT free FROM room), -1)::bigint AS seen, NULL::uuid[] AS projects, NULL::bigint[] AS queues,
                NULL::text[] AS names, NULL::smallint[] AS weights, NULL::boolean[] AS limited,
                (
                    SELECT extract(epoch FROM next_at - now() - pace * (rate_burst - 1 - (SELECT count(*) FROM taken)))::float8 FROM room
                ) AS patience, {NoJob}
            UNION ALL
            SELECT {Job}
            FROM taken t
            ORDER BY place NULLS FIRST
            """;

        /// <summary>Queues of a remote worker, without a limit. A call that comes again with its key is answered the same jobs.</summary>
        // Nothing is taken where one of the queues is not there or not the workers': the call is refused. The tags and turns are drawn: a
        // worker that asks for one job at a time is given shares by weight, and the oldest, all the same.
        public const string OfWorker = $"""
            WITH again AS MATERIALIZED (
                SELECT j.ctid AS at
                FROM jobs j
                WHERE j.project_id = @ProjectId AND j.claim_key = @ClaimKey::uuid AND j.worker_id = @WorkerId AND j.state = 2
                    AND EXISTS (
                        SELECT FROM queues q
                        WHERE q.project_id = j.project_id AND q.queue_id = j.queue_id AND q.name = ANY (@Queues::text[])
                    )
            ),
            holding AS (
                SELECT max(lost) AS lost, GREATEST(0, LEAST(@Free::integer, @MaxHeld::integer - count(*)))::integer AS free
                FROM jobs
                WHERE project_id = @ProjectId AND worker_id = @WorkerId AND claim_key IS NOT NULL AND state = 2
            ),
            wanted AS (
                SELECT q.project_id, q.queue_id, q.name, ''::text AS pool, q.lease_seconds, q.max_run_seconds, q.weight, h.free,
                    LEAST(s.max, h.free) AS quota, -ln(1 - random()) / q.weight AS tag, floor(16 * random())::bigint AS starts,
                    CASE WHEN h.lost >= 2 THEN 1 WHEN h.lost = 1 THEN 2 ELSE 32767 END AS lost_below, {FromTheBeginning}
                FROM unnest(@Queues::text[], @Maxes::integer[]) AS s(name, max)
                JOIN queues q ON q.project_id = @ProjectId AND q.name = s.name AND q.deleted_at IS NULL
                CROSS JOIN holding h
                WHERE q.served_by = 'workers' AND q.paused_at IS NULL AND q.max_running IS NULL AND q.rate_count IS NULL
                    AND NOT EXISTS (SELECT FROM again) AND NOT EXISTS (
                        SELECT
                        FROM unnest(@Queues::text[]) AS n(name)
                        WHERE NOT EXISTS (
                            SELECT FROM queues o
                            WHERE o.project_id = @ProjectId AND o.name = n.name AND o.deleted_at IS NULL AND o.served_by = 'workers'
                        )
                    )
            ),
            {Taking}
            SELECT (SELECT count(*) FROM picked) AS seen, NULL::uuid[] AS projects, NULL::bigint[] AS queues,
                NULL::text[] AS names, NULL::smallint[] AS weights, NULL::boolean[] AS limited, NULL::float8 AS patience, {NoJob}
            UNION ALL
            SELECT {Job}
            FROM taken t
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, j.project_id, j.id, j.queue_id, q.name, q.weight, j.kind, j.claim_no, j.attempt,
                j.max_attempts, j.lost, j.args, j.traceparent, j.lane, j.checkpoint, j.snoozes, q.lease_seconds, j.priority, j.run_at, j.seq,
                0::float8, false, q.max_run_seconds, 0
            FROM again a
            JOIN jobs j ON j.ctid = a.at
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            ORDER BY place NULLS FIRST
            """;

        // Of queues of one name, each is looked into twice as far as its share: what others leave is then taken at once.
        private const string OfTheService = $"""
            served AS (
                SELECT q.project_id, q.queue_id, q.name, q.lease_seconds, q.max_run_seconds, q.weight,
                    q.max_running IS NOT NULL OR q.rate_count IS NOT NULL AS is_limited, COALESCE(s.free, @OtherFree) AS free,
                    COALESCE(CASE WHEN t.tag IS NULL THEN s.floor ELSE GREATEST(t.tag, s.floor - 20.0 / q.weight) END, 0)::float8 AS tag, COALESCE(t.starts, 0) AS starts,
                    r.priority AS first_priority, r.run_at AS first_run_at, r.seq AS first_seq
                FROM ready r
                JOIN queues q ON q.project_id = r.project_id AND q.queue_id = r.queue_id
                LEFT JOIN unnest(@Queues::text[], @Free::integer[], @Floors::float8[]) AS s(name, free, floor) ON s.name = q.name
                LEFT JOIN unnest(@ShareQueues::bigint[], @ShareTags::float8[], @ShareStarts::bigint[]) AS t(queue_id, tag, starts)
                    ON t.queue_id = q.queue_id
                WHERE q.served_by = 'service' AND q.paused_at IS NULL
            ),
            wanted AS (
                SELECT project_id, queue_id, name, name AS pool, lease_seconds, max_run_seconds, weight, free, tag, starts,
                    LEAST(free, 1 + ceil(2.0 * free * weight / sum(weight) OVER (PARTITION BY name)))::integer AS quota,
                    @LostBelow::integer AS lost_below, first_priority, first_run_at, first_seq
                FROM served
                WHERE NOT is_limited AND free > 0
            ),
            {Taking}
            SELECT (SELECT count(*) FROM picked) AS seen, (SELECT array_agg(project_id ORDER BY queue_id) FROM served) AS projects,
                (SELECT array_agg(queue_id ORDER BY queue_id) FROM served) AS queues,
                (SELECT array_agg(name ORDER BY queue_id) FROM served) AS names,
                (SELECT array_agg(weight ORDER BY queue_id) FROM served) AS weights,
                (SELECT array_agg(is_limited ORDER BY queue_id) FROM served) AS limited, NULL::float8 AS patience, {NoJob}
            UNION ALL
            SELECT {Job}
            FROM taken t
            ORDER BY place NULLS FIRST
            """;

        // One probe a priority, since an index scan over all of them would read every urgent job due tomorrow. Every sixteenth turn
        // of a queue is the oldest job's, whatever its priority. A job that was lost twice is on trial: its process holds no other
        // that was ever lost. MATERIALIZED keeps the planner from running the locking part twice. Rows that were found are reached by
        // their place in the table alone: by their key the planner would read the whole of an index where the table was empty when it
        // made its plan, which is kept. A place stays that of its row for as long as the statement looks. A claim begins
        // when it is written, not with its transaction: what it saw end must have ended before, or the history shows limits passed.
        private const string Taking = """
            candidates AS (
                SELECT due.place AS at, due.run_at, due.seq, w.queue_id, w.name, w.pool, w.lease_seconds, w.max_run_seconds, w.weight, w.free,
                    w.quota, w.tag, w.starts,
                    CASE WHEN due.kind = ANY (@Carriers::text[]) THEN 0 ELSE due.lost END AS lost,
                    row_number() OVER (PARTITION BY w.queue_id ORDER BY p.priority, due.run_at, due.seq) AS rank,
                    row_number() OVER (PARTITION BY w.queue_id ORDER BY due.run_at, due.seq) AS age
                FROM wanted w
                JOIN (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority) ON p.priority >= w.first_priority
                LEFT JOIN unnest(@PassedQueues::bigint[], @PassedPriorities::smallint[], @PassedRunAts::timestamptz[], @PassedSeqs::bigint[])
                    AS c(queue_id, priority, run_at, seq) ON c.queue_id = w.queue_id AND c.priority = p.priority
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place, j.kind, j.lost, j.run_at, j.seq
                    FROM jobs j
                    WHERE j.state = 1 AND j.queue_id = w.queue_id AND j.priority = p.priority AND j.run_at <= now()
                        AND (j.run_at, j.seq) > (
                            COALESCE(c.run_at, CASE WHEN p.priority = w.first_priority THEN w.first_run_at ELSE '-infinity' END),
                            COALESCE(c.seq, CASE WHEN p.priority = w.first_priority THEN w.first_seq - 1 ELSE 0 END)
                        )
                        AND (j.lost < w.lost_below OR j.kind = ANY (@Carriers::text[]))
                    ORDER BY j.run_at, j.seq
                    LIMIT w.quota
                ) AS due
            ),
            turns AS (
                SELECT *,
                    row_number() OVER (PARTITION BY queue_id ORDER BY LEAST(rank, 16 * age - starts % 16), age) AS turn
                FROM candidates
            ),
            places AS (
                SELECT *, row_number() OVER (PARTITION BY pool ORDER BY tag + (turn - 1) / weight::float8, run_at, seq) AS place
                FROM turns
                WHERE turn <= quota
            ),
            suspect AS (
                SELECT at FROM places WHERE place <= free AND lost >= 2 ORDER BY place LIMIT 1
            ),
            picked AS MATERIALIZED (
                SELECT at, name, weight, lease_seconds, max_run_seconds, place
                FROM places
                WHERE place <= free
                    AND (lost = 0 OR at = (SELECT at FROM suspect) OR (lost = 1 AND NOT EXISTS (SELECT FROM suspect)))
            ),
            mine AS MATERIALIZED (
                SELECT p.at, p.name, p.weight, p.lease_seconds, p.max_run_seconds, p.place
                FROM picked p
                JOIN jobs j ON j.ctid = p.at
                WHERE j.lease_until IS NULL AND j.state > 0 AND j.run_at <= now()
                FOR UPDATE OF j SKIP LOCKED
            ),
            taken AS (
                UPDATE jobs j
                SET state = 2, claim_no = j.claim_no + 1, attempt = LEAST(j.attempt + 1, 32767), claimed_at = clock_timestamp(),
                    worker_id = @WorkerId, claim_key = @ClaimKey::uuid, lease_until = now() + make_interval(secs => m.lease_seconds)
                FROM mine m
                WHERE j.ctid = m.at AND j.lease_until IS NULL
                RETURNING j.project_id, j.id, j.queue_id, m.name, m.weight, j.kind, j.claim_no, j.attempt, j.max_attempts, j.lost, j.args,
                    j.traceparent, j.lane, j.checkpoint, j.snoozes, m.lease_seconds, j.priority, j.run_at, j.seq, j.start_before, j.unique_key,
                    m.max_run_seconds, m.place
            ),
            let_go AS MATERIALIZED (
                SELECT h.project_id, h.key
                FROM (
                    SELECT project_id, id, unique_key ->> 'key' AS key
                    FROM taken
                    WHERE unique_key ->> 'until' = 'start'
                    ORDER BY project_id, unique_key ->> 'key'
                ) AS t
                CROSS JOIN LATERAL (
                    SELECT k.project_id, k.key
                    FROM job_keys k
                    WHERE k.project_id = t.project_id AND k.key = t.key AND k.job_id = t.id
                    LIMIT 1
                    FOR UPDATE
                ) AS h
            ),
            freed AS (
                DELETE FROM job_keys k
                USING let_go l
                WHERE (SELECT EXISTS (SELECT FROM let_go)) AND k.project_id = l.project_id AND k.key = l.key
            )
            """;

        private const string FromTheBeginning =
            "1::smallint AS first_priority, timestamptz '-infinity' AS first_run_at, 1::bigint AS first_seq";

        private const string NoJob = """
            NULL::uuid, NULL::uuid, NULL::bigint, NULL::text, NULL::smallint, NULL::text, NULL::bigint, NULL::smallint,
            NULL::smallint, NULL::smallint, NULL::json, NULL::text, NULL::text, NULL::json, NULL::smallint, NULL::smallint, NULL::smallint,
            NULL::timestamptz, NULL::bigint, NULL::float8, NULL::boolean, NULL::integer, NULL::bigint AS place
            """;

        private const string Job = """
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, t.project_id, t.id, t.queue_id, t.name, t.weight, t.kind, t.claim_no, t.attempt,
            t.max_attempts, t.lost, t.args, t.traceparent, t.lane, t.checkpoint, t.snoozes, t.lease_seconds, t.priority, t.run_at, t.seq,
            extract(epoch FROM now() - t.run_at)::float8, COALESCE(t.start_before < now() AND t.attempt = 1, false), t.max_run_seconds, t.place
            """;
    }
}
