using Bellhop.Infrastructure.Database;
using Dapper;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>When a queue with a rate may start its next job, as a change of that rate leaves it.</summary>
internal static class QueuePace
{
    /// <summary>To be called in the transaction that changed the rate, under the lock of the queue.</summary>
    public static Task SetAsync(
        Work work,
        Guid projectId,
        Guid queueId,
        QueueRate? rate,
        CancellationToken cancellationToken
    ) =>
        work.Connection.ExecuteAsync(
            (rate is null ? Sql.Unpace : Sql.Pace).With(
                new
                {
                    ProjectId = projectId,
                    Id = queueId,
                    rate?.Seconds,
                    rate?.Count,
                    Burst = rate?.Burst ?? 1,
                },
                cancellationToken
            )
        );

    private static class Sql
    {
        // What was started by the old rate blocks the new one no longer than the new one's own starts could. Claims hold the row of the
        // queue before they write here, and so this sees all of theirs; where the rate is as it was, nothing changes.
        public const string Pace = """
            UPDATE queue_rates r
            SET next_at = l.latest
            FROM queues q
            CROSS JOIN LATERAL (
                SELECT clock_timestamp() + make_interval(secs => @Seconds::float8 / @Count::integer) * @Burst::integer AS latest
            ) AS l
            WHERE q.project_id = @ProjectId AND q.id = @Id AND r.project_id = q.project_id AND r.queue_id = q.queue_id
                AND r.next_at > l.latest
            """;

        public const string Unpace = """
            DELETE FROM queue_rates r
            USING queues q
            WHERE q.project_id = @ProjectId AND q.id = @Id AND r.project_id = q.project_id AND r.queue_id = q.queue_id
            """;
    }
}
