using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>
/// From when until when jobs were held, told by the history alone: it must show that no limit was ever passed, however processes
/// died.
/// </summary>
internal static class JobSpans
{
    /// <summary>Replays every claim of every queue with a limit.</summary>
    /// <param name="projectId">Null: those of all projects.</param>
    /// <returns>Of each queue and lane with a limit the most that were held at once.</returns>
    public static async Task<IReadOnlyDictionary<string, int>> CheckAsync(
        NpgsqlConnection connection,
        int seed,
        Guid? projectId = null
    )
    {
        var spans = (await connection.QueryAsync<Span>(Sql.Find, new { projectId })).ToArray();
        var most = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var queue in spans.Where(span => span.MaxRunning is not null).ToLookup(span => span.Queue))
        {
            most[queue.Key] = Check(queue, queue.First().MaxRunning!.Value, $"seed {seed}: {queue.Key}");
        }

        var inLanes = spans.Where(span => span is { LaneLimit: not null, Lane: not null });
        foreach (var lane in inLanes.ToLookup(span => $"{span.Queue}/{span.Lane}"))
        {
            most[lane.Key] = Check(lane, lane.First().LaneLimit!.Value, $"seed {seed}: {lane.Key}");
        }

        return most;
    }

    private static int Check(IEnumerable<Span> spans, int limit, string what)
    {
        var busiest = Busiest(spans);
        Assert.True(
            busiest.Count <= limit,
            $"{what} had {busiest.Count} at once:\n" + string.Join('\n', busiest.OrderBy(span => span.Began))
        );
        return busiest.Count;
    }

    /// <summary>Those that were held at the busiest moment; an end and a begin at one moment do not meet.</summary>
    private static IReadOnlyCollection<Span> Busiest(IEnumerable<Span> spans)
    {
        IReadOnlyCollection<Span> busiest = [];
        var held = new HashSet<Span>();
        var steps = spans
            .SelectMany(span =>
                new[] { (At: span.Began, Span: span, Begins: true), (At: span.Ended, Span: span, Begins: false) }
            )
            .OrderBy(step => step.At)
            .ThenBy(step => step.Begins);
        foreach (var (_, span, begins) in steps)
        {
            if (!(begins ? held.Add(span) : held.Remove(span)))
            {
                continue;
            }

            if (held.Count > busiest.Count)
            {
                busiest = [.. held];
            }
        }

        return busiest;
    }

    private sealed record Span(
        Guid Id,
        long ClaimNo,
        string How,
        DateTime Began,
        DateTime Ended,
        string Queue,
        string? Lane,
        int? MaxRunning,
        int? LaneLimit
    )
    {
        public override string ToString() =>
            $"{Id} claim {ClaimNo} {How}: {Began:HH:mm:ss.ffffff} to {Ended:HH:mm:ss.ffffff}";
    }

    private static class Sql
    {
        public const string Find = """
            SELECT s.id, s.claim_no, s.how, s.began, s.ended, q.name AS queue, s.lane, q.max_running,
                CASE WHEN q.lane_ordered THEN 1 ELSE q.lane_limit END::integer AS lane_limit
            FROM (
                SELECT project_id, id, queue_id, lane, claim_no, 'over' AS how, claimed_at AS began, finished_at AS ended
                FROM job_history
                WHERE claimed_at IS NOT NULL
                    AND NOT EXISTS (
                        SELECT FROM job_attempts a
                        WHERE a.project_id = job_history.project_id AND a.job_id = job_history.id AND a.claim_no = job_history.claim_no
                    )
                UNION ALL
                SELECT a.project_id, a.job_id, h.queue_id, h.lane, a.claim_no, a.outcome, a.started_at, a.at
                FROM job_attempts a
                JOIN job_history h ON h.project_id = a.project_id AND h.id = a.job_id
            ) AS s
            JOIN queues q ON q.project_id = s.project_id AND q.queue_id = s.queue_id
            WHERE @projectId::uuid IS NULL OR s.project_id = @projectId
            """;
    }
}
