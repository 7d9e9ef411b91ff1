using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>How many jobs are there for workers that wait, within the limits of their queues.</summary>
internal static class DueJobs
{
    /// <returns>How many jobs of each may begin, and after what time there may be more without a signal; null: there will not.</returns>
    public static async Task<(Dictionary<(Guid Project, string Queue), long> Due, TimeSpan? Pause)> CountAsync(
        NpgsqlConnection connection,
        (Guid ProjectId, string Queue)[] wanted,
        int most,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(Sql.Count, connection)
        {
            Parameters =
            {
                new("ProjectIds", NpgsqlDbType.Array | NpgsqlDbType.Uuid)
                {
                    Value = wanted.Select(one => one.ProjectId).ToArray(),
                },
                new("Queues", NpgsqlDbType.Array | NpgsqlDbType.Text)
                {
                    Value = wanted.Select(one => one.Queue).ToArray(),
                },
                new("Limit", most),
            },
        };
        var due = new Dictionary<(Guid, string), long>();
        TimeSpan? pause = null;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            due[wanted[reader.GetInt64(0) - 1]] = reader.GetInt64(1);
            if (!reader.IsDBNull(2) && TimeSpan.FromSeconds(reader.GetDouble(2)) is var room && !(room >= pause))
            {
                pause = room;
            }
        }

        return (due, pause);
    }

    private static class Sql
    {
        // engine-wide: on behalf of the workers of all projects. Of a queue with a limit no more are woken than may begin; where more are
        // due than that, the last column says after how many seconds to look again: when its rate has room for one more, or soon,
        // since nobody says that a job of it ended.
        public const string Count = """
            SELECT w.position,
                LEAST(due.count, running.room, rate.room)::bigint AS room,
                CASE
                    WHEN COALESCE(due.count <= LEAST(running.room, rate.room), true) THEN NULL
                    WHEN rate.room IS NULL OR running.room < rate.room THEN 0.1
                    WHEN rate.room > 0 THEN rate.pace
                    ELSE rate.wait
                END::float8 AS seconds
            FROM unnest(@ProjectIds::uuid[], @Queues::text[]) WITH ORDINALITY AS w(project_id, name, position)
            JOIN queues q ON q.project_id = w.project_id AND q.name = w.name AND q.deleted_at IS NULL
            CROSS JOIN LATERAL (
                SELECT count(*) AS count
                FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                CROSS JOIN LATERAL (
                    SELECT
                    FROM jobs j
                    WHERE j.state = 1 AND j.queue_id = q.queue_id AND j.priority = p.priority AND j.run_at <= now()
                    LIMIT @Limit
                ) AS job
            ) AS due
            CROSS JOIN LATERAL (
                SELECT CASE
                    WHEN q.max_running IS NOT NULL THEN
                        GREATEST(0, q.max_running - (SELECT count(*) FROM jobs j WHERE j.queue_id = q.queue_id AND j.state = 2))
                END AS room
            ) AS running
            LEFT JOIN LATERAL (
                SELECT GREATEST(0, floor(q.rate_burst - ahead.seconds / pace.seconds)) AS room, pace.seconds AS pace,
                    ahead.seconds - pace.seconds * (q.rate_burst - 1) AS wait
                FROM (SELECT q.rate_seconds::float8 / q.rate_count AS seconds) AS pace
                CROSS JOIN LATERAL (
                    SELECT COALESCE(GREATEST(0, extract(epoch FROM max(r.next_at) - now())), 0)::float8 AS seconds
                    FROM queue_rates r
                    WHERE r.project_id = q.project_id AND r.queue_id = q.queue_id
                ) AS ahead
            ) AS rate ON q.rate_count IS NOT NULL
            WHERE q.paused_at IS NULL AND q.served_by = 'workers'
            """;
    }
}
