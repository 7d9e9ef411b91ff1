using Bellhop.Features.Jobs.Queues;
using Bellhop.Infrastructure.Database;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Running;

/// <summary>What a claim brought.</summary>
/// <param name="IsContended">Others took some of what it saw: there may be more behind.</param>
internal sealed record Claim(IReadOnlyList<HeldJob> Jobs, bool IsContended)
{
    public static readonly Claim Nothing = new([], false);
}

/// <summary>Takes due jobs off the service's queues: one statement for all queues of all projects.</summary>
internal sealed class JobClaims(Databases databases, QueueMinutes minutes, TimeProvider clock)
{
    /// <summary>Stands with every claim this process makes; a restart has another one.</summary>
    private readonly Guid _workerId = Guid.CreateVersion7(clock.GetUtcNow());

    /// <summary>Claims up to so many jobs a queue name, those of higher priority first, then those longer due.</summary>
    /// <param name="free">Per queue name; other names are given <paramref name="otherFree"/>.</param>
    /// <remarks>It takes no token: the answer of a claim that was given up may be jobs.</remarks>
    public async Task<Claim> TakeAsync(IReadOnlyList<KeyValuePair<string, int>> free, int otherFree)
    {
        var asked = clock.GetTimestamp();
        await using var command = databases.Engine.CreateCommand(Sql.Claim);
        command.Parameters.Add(
            new("Queues", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = free.Select(pair => pair.Key).ToArray() }
        );
        command.Parameters.Add(
            new("Free", NpgsqlDbType.Array | NpgsqlDbType.Integer) { Value = free.Select(pair => pair.Value).ToArray() }
        );
        command.Parameters.Add(new("OtherFree", otherFree));
        command.Parameters.Add(new("WorkerId", _workerId));
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        var jobs = new List<HeldJob>();
        var seen = 0L;
        while (await reader.ReadAsync(CancellationToken.None))
        {
            seen = reader.GetInt64(0);
            if (!reader.IsDBNull(1))
            {
                jobs.Add(Read(reader, asked));
            }
        }

        return seen == 0 ? Claim.Nothing : new Claim(jobs, jobs.Count < seen);
    }

    private HeldJob Read(NpgsqlDataReader reader, long asked)
    {
        var job = new ClaimedJob(
            reader.GetGuid(1),
            reader.GetGuid(2),
            reader.GetInt64(3),
            reader.GetString(4),
            reader.GetString(5),
            reader.GetInt64(6),
            reader.GetInt16(7),
            reader.GetInt16(8),
            reader.GetInt16(9),
            reader.GetString(10),
            reader.IsDBNull(11) ? null : reader.GetString(11)
        );
        JobMetrics.CountClaimed(job, reader.GetDouble(13));
        minutes.CountStarted(job, reader.GetDouble(13));
        return new HeldJob(job, TimeSpan.FromSeconds(reader.GetInt16(12)), asked, clock);
    }

    private static class Sql
    {
        // Queues with work are found by jumping through jobs_ready, so queues without any cost nothing. One probe a priority, since
        // an index scan over all of them would read every urgent job due tomorrow. MATERIALIZED keeps the planner from running the
        // locking part twice; that part says "ready" in words that fit no partial index, so that each row is found by its key,
        // whatever the statistics of a moment say. Attempts stop counting at the type's end, or one job lost for ever would stop every claim.
        public const string Claim = """
            WITH RECURSIVE ready AS (
                (SELECT project_id, queue_id FROM jobs WHERE state = 1 ORDER BY queue_id LIMIT 1)
                UNION ALL
                SELECT following.project_id, following.queue_id
                FROM ready r
                CROSS JOIN LATERAL (
                    SELECT j.project_id, j.queue_id
                    FROM jobs j
                    WHERE j.state = 1 AND j.queue_id > r.queue_id
                    ORDER BY j.queue_id
                    LIMIT 1
                ) AS following
            ),
            wanted AS (
                SELECT q.queue_id, q.name, q.lease_seconds, COALESCE(s.free, @OtherFree) AS free
                FROM ready r
                JOIN queues q ON q.project_id = r.project_id AND q.queue_id = r.queue_id
                LEFT JOIN unnest(@Queues::text[], @Free::integer[]) AS s(name, free) ON s.name = q.name
                WHERE q.served_by = 'service' AND q.paused_at IS NULL AND COALESCE(s.free, @OtherFree) > 0
            ),
            candidates AS (
                SELECT due.project_id, due.id, due.claim_no, w.name, w.lease_seconds, w.free,
                    row_number() OVER (PARTITION BY w.name ORDER BY p.priority, due.run_at, due.seq) AS place
                FROM wanted w
                CROSS JOIN (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                CROSS JOIN LATERAL (
                    SELECT j.project_id, j.id, j.claim_no, j.run_at, j.seq
                    FROM jobs j
                    WHERE j.state = 1 AND j.queue_id = w.queue_id AND j.priority = p.priority AND j.run_at <= now()
                    ORDER BY j.run_at, j.seq
                    LIMIT w.free
                ) AS due
            ),
            picked AS MATERIALIZED (
                SELECT project_id, id, claim_no, name, lease_seconds, place FROM candidates WHERE place <= free
            ),
            mine AS MATERIALIZED (
                SELECT j.project_id, j.id, j.claim_no, p.name, p.lease_seconds, p.place
                FROM picked p
                JOIN jobs j ON j.project_id = p.project_id AND j.id = p.id
                WHERE j.claim_no = p.claim_no AND j.lease_until IS NULL AND j.state > 0 AND j.run_at <= now()
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j SKIP LOCKED
            ),
            taken AS (
                UPDATE jobs j
                SET state = 2, claim_no = j.claim_no + 1, attempt = LEAST(j.attempt + 1, 32767), claimed_at = now(),
                    worker_id = @WorkerId, lease_until = now() + make_interval(secs => m.lease_seconds)
                FROM mine m
                WHERE j.project_id = m.project_id AND j.id = m.id AND j.claim_no = m.claim_no
                RETURNING j.project_id, j.id, j.queue_id, m.name, j.kind, j.claim_no, j.attempt, j.max_attempts, j.lost, j.args,
                    j.traceparent, m.lease_seconds, j.run_at, m.place
            )
            SELECT seen.count, t.project_id, t.id, t.queue_id, t.name, t.kind, t.claim_no, t.attempt, t.max_attempts, t.lost,
                t.args, t.traceparent, t.lease_seconds, extract(epoch FROM now() - t.run_at)::float8
            FROM (SELECT count(*) FROM picked) AS seen
            LEFT JOIN taken t ON true
            ORDER BY t.place
            """;
    }
}
