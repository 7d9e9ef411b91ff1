using Bellhop.Infrastructure.Http;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>A queue that a worker asks for, and what the worker holds of all of them.</summary>
/// <param name="MostLost">How often that one of all it holds was lost that was lost most often.</param>
/// <param name="HasCanceled">Of all it holds some are to be _canceled.</param>
internal sealed record LookedQueue(
    string Name,
    long? QueueId,
    bool IsOfWorkers,
    bool IsLimited,
    long Held,
    short MostLost,
    bool HasCanceled
)
{
    public static NpgsqlBatchCommand Look(Guid projectId, Guid workerId, string?[] queues) =>
        new(Sql.Look)
        {
            Parameters =
            {
                new("ProjectId", projectId),
                new("WorkerId", workerId),
                new("Queues", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = queues },
            },
        };

    /// <summary>What is wrong with what was asked; null: nothing.</summary>
    public static Problem? Check(IReadOnlyList<ClaimedQueue> asked, List<LookedQueue> looked)
    {
        for (var index = 0; index < asked.Count; index++)
        {
            var queue = looked.FirstOrDefault(one => one.Name == asked[index].Name);
            if (queue is null or { QueueId: null })
            {
                return JobProblems.UnknownQueue.Because(
                    $"There is no queue {asked[index].Name}.",
                    FieldError.At($"/queues/{index}/name", "unknown_queue", "Name a queue of the project.")
                );
            }

            if (!queue.IsOfWorkers)
            {
                return JobProblems.NotOfWorkers.Because(
                    $"The queue {queue.Name} is served by the service itself.",
                    FieldError.At($"/queues/{index}/name", "not_of_workers", "Name a queue that is served by workers.")
                );
            }
        }

        return null;
    }

    public static async Task<List<LookedQueue>> ReadAsync(NpgsqlDataReader reader)
    {
        var looked = new List<LookedQueue>();
        while (await reader.ReadAsync())
        {
            looked.Add(
                new LookedQueue(
                    reader.GetString(0),
                    reader.IsDBNull(1) ? null : reader.GetInt64(1),
                    reader.GetBoolean(2),
                    reader.GetBoolean(3),
                    reader.GetInt64(4),
                    reader.GetInt16(5),
                    reader.GetBoolean(6)
                )
            );
        }

        return looked;
    }

    private static class Sql
    {
        public const string Look = """
            SELECT s.name, q.queue_id, COALESCE(q.served_by = 'workers', false) AS is_of_workers,
                COALESCE(q.max_running IS NOT NULL OR q.rate_count IS NOT NULL, false) AS is_limited, h.held, h.most_lost, h.has_canceled
            FROM unnest(@Queues::text[]) AS s(name)
            CROSS JOIN (
                SELECT count(*) AS held, COALESCE(max(lost), 0)::smallint AS most_lost,
                    COALESCE(bool_or(cancel_requested_at IS NOT NULL), false) AS has_canceled
                FROM jobs
                WHERE project_id = @ProjectId AND worker_id = @WorkerId AND claim_key IS NOT NULL AND state = 2
            ) AS h
            LEFT JOIN queues q ON q.project_id = @ProjectId AND q.name = s.name AND q.deleted_at IS NULL
            """;
    }
}
