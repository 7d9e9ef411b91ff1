using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.Jobs;

/// <summary>Finds the queue of a job, which conditions look at.</summary>
internal static class JobResources
{
    public static readonly ResourceLookup Jobs = new("jobs", Sql.Job);
    public static readonly ResourceLookup Queues = new("queues", Sql.Queue);

    private static class Sql
    {
        public const string Job = """
            SELECT q.name AS queue, NULL::text[] AS tags, NULL::uuid AS owner_id
            FROM (
                SELECT queue_id FROM jobs WHERE project_id = @ProjectId AND id = @Id
                UNION ALL
                SELECT queue_id
                FROM job_history
                WHERE project_id = @ProjectId AND id = @Id AND finished_at >= id_time(@Id) - interval '1 minute'
            ) AS j
            JOIN queues q ON q.project_id = @ProjectId AND q.queue_id = j.queue_id
            """;

        public const string Queue = """
            SELECT name AS queue, NULL::text[] AS tags, NULL::uuid AS owner_id
            FROM queues
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
            """;
    }
}
