using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>What became of a job that was to be canceled.</summary>
/// <param name="HasEnded">False: it runs, and whoever holds it is to stop.</param>
/// <param name="HasChildren">Others waited for its end.</param>
/// <param name="Lane">Where there is room now.</param>
internal sealed record CanceledJob(Guid Id, long QueueId, bool HasEnded, bool HasChildren, string? Lane);

/// <summary>Cancels jobs of a project, many in one statement: what is not running ends, what runs is asked to.</summary>
internal static class JobCancels
{
    /// <param name="force">What runs ends as well; what its handler still does and says counts for nothing.</param>
    /// <param name="grace">How long a handler has before its job is taken from it.</param>
    /// <returns>Those that were canceled or asked now; neither what is over, nor what had been asked to stop sooner.</returns>
    public static async Task<IReadOnlyList<CanceledJob>> CancelAsync(
        NpgsqlConnection connection,
        Guid projectId,
        Guid[] ids,
        bool force,
        TimeSpan grace,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            ProjectId = projectId,
            Ids = ids,
            Force = force,
            GraceSeconds = grace.TotalSeconds,
        };
        return [.. await connection.QueryAsync<CanceledJob>(Sql.Cancel.With(arguments, cancellationToken))];
    }

    private static class Sql
    {
        // locked in the order of every finish
        public const string Cancel = $"""
            WITH meant AS MATERIALIZED (
                SELECT j.project_id, j.id, j.claim_no, j.state < 2 OR @Force::boolean AS ends
                FROM unnest(@Ids::uuid[]) AS m(id)
                JOIN jobs j ON j.project_id = @ProjectId AND j.id = m.id
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j
            ),
            gone AS (
                DELETE FROM jobs j
                USING meant m
                WHERE m.ends AND j.project_id = m.project_id AND j.id = m.id AND j.claim_no = m.claim_no
                RETURNING {EndedJobs.Columns}, 2::smallint AS outcome, 'canceled'::text AS reason, NULL::json AS result,
                    NULL::json AS error
            ),
            asked AS (
                UPDATE jobs j
                SET cancel_requested_at = COALESCE(j.cancel_requested_at, now()),
                    cancel_by = now() + make_interval(secs => @GraceSeconds::float8)
                FROM meant m
                WHERE NOT m.ends AND j.project_id = m.project_id AND j.id = m.id AND j.claim_no = m.claim_no AND j.state = 2
                    AND COALESCE(j.cancel_by, 'infinity') > now() + make_interval(secs => @GraceSeconds::float8)
                RETURNING j.id, j.queue_id
            ),
            {EndedJobs.Kept},
            cut AS (
                DELETE FROM job_edges e USING gone g WHERE e.project_id = g.project_id AND e.child_id = g.id
            )
            SELECT id, queue_id, true AS has_ended, has_children, lane FROM gone
            UNION ALL
            SELECT id, queue_id, false, false, NULL FROM asked
            """;
    }
}
