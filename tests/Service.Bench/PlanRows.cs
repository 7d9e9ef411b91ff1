using System.Diagnostics;

namespace Bellhop.Bench;

/// <summary>Fills every table that a list reads with a million rows of one project, spread over the last hours.</summary>
internal static class PlanRows
{
    public const int Hours = 40;

    private const int Count = 1_000_000;

    // of a hundred, what did not go well: one in fifty in all
    private const string State =
        "CASE WHEN n % 100 = 0 THEN (ARRAY[{0}])[1 + n / 100 % array_length(ARRAY[{0}], 1)] ELSE 'succeeded' END";

    // kind, lane, tags and worker of a job: one in ten thousand is of a rare kind, has a rare tag, or stands in a lane that is asked for
    private const string Rare = """
        CASE WHEN n % 10000 IN (0, 5) THEN 'rare' ELSE 'noop' END,
                    CASE WHEN n % 10000 IN (0, 6) THEN 'customer-7' WHEN n % 10 = 1 THEN 'customer-' || n % 5000 END,
                    CASE WHEN n % 10000 IN (0, 7) THEN '{common,rare}'::text[] WHEN n % 4 = 1 THEN '{common}' END,
                    CASE WHEN n % 10000 = 0 THEN '00000000-0000-7000-8000-000000000001'::uuid END
        """;

    /// <summary>Each row has an id of its own moment, oldest first.</summary>
    private const string Moments = """
        FROM generate_series(1, 1000000) n
        CROSS JOIN LATERAL (
            SELECT now() - interval '40 hours' * (1 - n / 1000000.0) AS moment
        ) t
        CROSS JOIN LATERAL (
            SELECT encode(
                overlay(uuid_send(first_id_at(t.moment)) PLACING substring(uuid_send(gen_random_uuid()) FROM 7) FROM 7 FOR 10), 'hex'
            )::uuid AS id
        ) i
        CROSS JOIN (SELECT id AS project_id FROM projects WHERE name = 'default') p
        """;

    public static async Task FillAsync(BenchHost host)
    {
        var watch = Stopwatch.StartNew();
        await host.ExecuteAsync(
            "SET synchronous_commit = off; SELECT make_partitions((now() AT TIME ZONE 'UTC')::date + 1)"
        );
        string[] statements =
        [
            """
                INSERT INTO events (project_id, id, received_at, source, event_id, type, data)
                SELECT project_id, id, moment, 'bench', n::text, 'type-' || n % 10, '{"n": 1}'
                """,
            """
                INSERT INTO automations (project_id, id, name, active_version, state, created_at)
                SELECT project_id, id, 'a-' || n, 1, CASE WHEN n % 1000 = 0 THEN 'active' ELSE 'disabled' END, moment
                """,
            $$"""
                INSERT INTO runs (project_id, id, event_id, automation_id, version, state, depth, created_at)
                SELECT project_id, id, id,
                    (ARRAY(SELECT id FROM automations ORDER BY project_id, id LIMIT 10))[1 + n % 10],
                    1, {{States("'queued', 'running', 'waiting', 'held', 'partial', 'failed', 'canceled'")}}, 0, moment
                """,
            """
                INSERT INTO webhook_endpoints (project_id, id, name, url, event_types, state, secrets, created_at)
                SELECT project_id, id, 'w-' || n, 'https://example.com', '{none}', 'active', '{}', moment
                """,
            """
                INSERT INTO connections (project_id, id, name, kind, config, created_at)
                SELECT project_id, id, 'c-' || n,
                    CASE WHEN n % 100 = 0
                        THEN (ARRAY['postgresql', 'mysql', 'smtp', 's3', 'llm'])[1 + n / 100 % 5] ELSE 'http' END,
                    '{}', moment
                """,
            """
                INSERT INTO workers (project_id, id, key, name, queues)
                SELECT project_id, id, id, 'w-' || n, '{default}'
                """,
            """
                INSERT INTO secrets (project_id, name, value, created_at)
                SELECT project_id, 's-' || n, '', moment
                """,
            $$"""
                INSERT INTO deliveries (project_id, id, event_id, endpoint_id, state, created_at)
                SELECT project_id, id, id,
                    (ARRAY(SELECT id FROM webhook_endpoints ORDER BY project_id, id LIMIT 10))[1 + n % 10],
                    {{States("'pending', 'sending', 'failed', 'filtered', 'parked', 'disabled', 'canceled'")}}, moment
                """,
            """
                INSERT INTO sources (project_id, id, name, scheme, token, secrets, created_at)
                SELECT project_id, id, 's-' || n, 'github', 'bench-' || n, '{}', moment
                """,
            """
                INSERT INTO queues (project_id, id, name, served_by, retry, created_at)
                SELECT project_id, id, 'q-' || n, 'workers', '{}', moment
                """,
            """
                INSERT INTO source_rejections (project_id, id, source_id, rejected_at, reason, headers, body, body_bytes)
                SELECT project_id, id, (SELECT s.id FROM sources s ORDER BY s.project_id DESC, s.id DESC LIMIT 1), moment,
                    'bad_signature', '{}', '', 0
                """,
                // running are as many as workers hold at once: their list reads the index of leases, and all of it
                $$"""
                INSERT INTO jobs (
                    project_id, id, queue_id, run_at, state, wait_reason, lease_until, max_attempts, kind, lane, tags, worker_id, args
                )
                SELECT project_id, id, (SELECT queue_id FROM queues q WHERE q.project_id = p.project_id AND name = 'default'),
                    moment, CASE WHEN n % 2000 = 0 THEN 2 WHEN n % 1000 = 1 THEN 0 ELSE 1 END,
                    CASE WHEN n % 2000 <> 0 AND n % 1000 = 1 THEN 3 ELSE 0 END,
                    CASE WHEN n % 2000 = 0 THEN now() + interval '1 day' END, 20, {{Rare}}, '{}'
                """,
            $$"""
                INSERT INTO job_history (
                    project_id, id, finished_at, queue_id, outcome, priority, claim_no, attempt, max_attempts, lost, run_at, kind, lane,
                    tags, worker_id
                )
                SELECT project_id, id, moment, (SELECT queue_id FROM queues q WHERE q.project_id = p.project_id AND name = 'default'),
                    CASE WHEN n % 100 = 0 THEN 1 + n / 100 % 3 ELSE 0 END, 3, 1, 1, 20, 0, moment, {{Rare}}
                """,
            // of the job that is listed first as many as a page and more, and of each of the others one
            """
                INSERT INTO job_logs (project_id, job_id, seq, at, claim_no, number, level, line, bytes)
                SELECT project_id,
                    CASE WHEN n > 999500 THEN GREATEST(
                        (SELECT j.id FROM jobs j ORDER BY j.project_id DESC, j.id DESC LIMIT 1),
                        (SELECT h.id FROM job_history h ORDER BY h.project_id DESC, h.id DESC LIMIT 1)
                    ) ELSE id END,
                    n, CASE WHEN n > 999500 THEN now() ELSE moment END, 1, n, n % 4, 'line ' || n, 100
                """,
            """
                INSERT INTO api_keys (project_id, id, key_id, name, secret_sha256, role, created_at, revoked_at)
                SELECT project_id, id, 'bench-' || n, 'k-' || n, '', 'viewer', moment, CASE WHEN n % 1000 = 0 THEN moment END
                """,
            // what an actor seldom does is one in a thousand of his, and a target is changed two hundred times
            """
                INSERT INTO audit_entries (project_id, id, at, actor, method, action, target)
                SELECT project_id, id, moment, 'key:k-' || n % 10, 'api_key',
                    CASE WHEN n / 10 % 1000 = 999 THEN 'connections.delete' ELSE 'connections.update' END,
                    'connections/c-' || n::bigint * 7919 % 5000
                """,
            """
                INSERT INTO one_time_tokens (
                    id, project_id, purpose, email, email_key, role, access, created_at, created_by, expires_at
                )
                SELECT id, project_id, 'invitation', 'i-' || n || '@example.com', 'i-' || n || '@example.com', 'viewer', '{}',
                    moment, 'bench', now() + interval '1 day'
                """,
            """
                INSERT INTO token_issuers (project_id, id, name, issuer, audience, role, created_at, updated_at)
                SELECT project_id, id, 'i-' || n, 'https://issuer.example.com/' || n, 'bellhop', 'viewer', moment, moment
                """,
            """
                INSERT INTO users (id, email, email_key, created_at, updated_at)
                SELECT id, 'u-' || n || '@example.com', 'u-' || n || '@example.com', moment, moment
                """,
            """
                INSERT INTO memberships (project_id, id, user_id, role, created_at, created_by, updated_at)
                SELECT project_id, id, (SELECT u.id FROM users u WHERE u.email_key = 'u-' || n || '@example.com'), 'viewer',
                    moment, 'bench', moment
                """,
            """
                INSERT INTO sessions (user_id, id, secret_sha256, method, created_at, last_seen_at, expires_at)
                SELECT (SELECT u.id FROM users u WHERE u.email_key = 'u-' || n || '@example.com'), id, sha256(n::text::bytea),
                    'password', moment, moment, now() + interval '1 day'
                """,
            """
                INSERT INTO token_families (user_id, id, token_epoch, created_at, expires_at)
                SELECT (SELECT u.id FROM users u WHERE u.email_key = 'u-' || n || '@example.com'), id, 1, moment,
                    now() + interval '1 day'
                """,
            """
                INSERT INTO projects (id, name, created_at, updated_at) SELECT id, 'p-' || n, moment, moment
                """,
        ];
        foreach (var statement in statements)
        {
            await host.ExecuteAsync(statement + "\n" + Moments);
        }

        await host.ExecuteAsync(OneUser);
        await host.ExecuteAsync("VACUUM ANALYZE");
        Console.WriteLine(
            $"\n{statements.Length} tables with {Count:N0} rows each, filled in {watch.Elapsed.TotalSeconds:F0} s."
        );
    }

    /// <summary>The secret of a session of the last of the users, who is a member of a hundred and one of the million projects.</summary>
    public const string Session = "bench0000000000000000000000000000000000000A";

    private const string OneUser = $"""
        INSERT INTO memberships (project_id, id, user_id, role, created_at, created_by, updated_at)
        SELECT p.id, new_id(), u.id, 'viewer', now(), 'bench', now()
        FROM projects p, users u
        WHERE p.name ~ '^p-[0-9]+0000$' AND u.email_key = 'u-1000000@example.com';
        INSERT INTO sessions (user_id, id, secret_sha256, method, created_at, last_seen_at, expires_at)
        SELECT id, new_id(), sha256('{Session}'), 'password', now(), now() + interval '1 hour', now() + interval '1 day'
        FROM users
        WHERE email_key = 'u-1000000@example.com'
        """;

    private static string States(string words) => State.Replace("{0}", words, StringComparison.Ordinal);
}
