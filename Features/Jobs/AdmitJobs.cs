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
        private const int MaxParents = 1_000;

        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            var lanes = await admission.LookAtAllAsync(cancellationToken);
            await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
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
