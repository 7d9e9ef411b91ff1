using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Finds lanes that have room and jobs whose parents are over, which nobody was told of: a process died, or SQL wrote them.</summary>
public static class AdmitJobs
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(5);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Lanes, int Parents);

    internal sealed class Handler(Databases databases, Admission admission) : IRequestHandler<Command, Result<Report>>
    {
        private const int MaxLanes = 5_000;
        private const int MaxParents = 1_000;

        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
            var (queueId, name) = (0L, "");
            var lanes = 0;
            for (var seen = MaxLanes; seen == MaxLanes; )
            {
                var found = (
                    await connection.QueryAsync<(Guid ProjectId, long QueueId, string Lane, bool HasRoom)>(
                        Sql.FindLanes.With(
                            new
                            {
                                QueueId = queueId,
                                Lane = name,
                                Limit = MaxLanes,
                            },
                            cancellationToken
                        )
                    )
                ).AsList();
                foreach (var lane in found.Where(lane => lane.HasRoom))
                {
                    admission.Look(new Lane(lane.ProjectId, lane.QueueId, lane.Lane));
                    lanes++;
                }

                seen = found.Count;
                (queueId, name) = seen > 0 ? (found[^1].QueueId, found[^1].Lane) : (queueId, name);
            }

            var parents = (
                await connection.QueryAsync<(Guid ProjectId, Guid Id)>(
                    Sql.FindParents.With(new { Limit = MaxParents }, cancellationToken)
                )
            ).AsList();
            parents.ForEach(parent => admission.Ended(parent.ProjectId, parent.Id));
            var orphans = (
                await connection.QueryAsync<(Guid ProjectId, Guid Id)>(
                    Sql.FindFree.With(new { Limit = MaxParents }, cancellationToken)
                )
            ).AsList();
            await admission.FreeAsync(orphans, cancellationToken);
            return new Report(lanes, parents.Count + orphans.Count);
        }
    }

    private static class Sql
    {
        // engine-wide: lanes of all projects; each is jumped to, however many jobs stand in it
        public const string FindLanes = """
            WITH RECURSIVE lanes AS (
                (
                    SELECT project_id, queue_id, lane
                    FROM jobs
                    WHERE state = 0 AND wait_reason = 1 AND (queue_id, lane) > (@QueueId::bigint, @Lane::text)
                    ORDER BY queue_id, lane
                    LIMIT 1
                )
                UNION ALL
                SELECT following.project_id, following.queue_id, following.lane
                FROM lanes l
                CROSS JOIN LATERAL (
                    SELECT j.project_id, j.queue_id, j.lane
                    FROM jobs j
                    WHERE j.state = 0 AND j.wait_reason = 1 AND (j.queue_id, j.lane) > (l.queue_id, l.lane)
                    ORDER BY j.queue_id, j.lane
                    LIMIT 1
                ) AS following
            ),
            few AS MATERIALIZED (SELECT project_id, queue_id, lane FROM lanes LIMIT @Limit)
            SELECT s.project_id, s.queue_id, s.lane, (
                    SELECT count(*)
                    FROM (
                        SELECT
                        FROM jobs j
                        WHERE j.queue_id = s.queue_id AND j.lane = s.lane AND j.state > 0
                        LIMIT CASE WHEN q.lane_ordered THEN 1 ELSE q.lane_limit END
                    ) AS held
                ) < CASE WHEN q.lane_ordered THEN 1 ELSE COALESCE(q.lane_limit, 1000) END AS has_room
            FROM few s
            JOIN queues q ON q.project_id = s.project_id AND q.queue_id = s.queue_id
            ORDER BY s.queue_id, s.lane
            """;

        // engine-wide: edges of all projects whose parent has left the table of the unfinished
        public const string FindParents = """
            SELECT DISTINCT e.project_id, e.parent_id
            FROM job_edges e
            WHERE NOT e.is_broken
                AND NOT EXISTS (SELECT FROM jobs j WHERE j.project_id = e.project_id AND j.id = e.parent_id)
            LIMIT @Limit
            """;

        // engine-wide: jobs of all projects that wait for nothing any more
        public const string FindFree = """
            SELECT j.project_id, j.id
            FROM jobs j
            WHERE j.state = 0 AND j.wait_reason = 2
                AND NOT EXISTS (
                    SELECT FROM job_edges e
                    WHERE e.project_id = j.project_id AND e.child_id = j.id AND (NOT e.is_broken OR j.is_patient IS TRUE)
                )
            LIMIT @Limit
            """;
    }
}
