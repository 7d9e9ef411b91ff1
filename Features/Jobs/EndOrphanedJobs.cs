using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>
/// Ends jobs that wait for a job which is no more, since its day in the history was forgotten: they are canceled (<c>parent_lost</c>),
/// also those that would have waited until it is retried. Who needed no more than its end goes on.
/// </summary>
/// <remarks>
/// So few are looked at each time that it costs nothing, however many wait, and where a process has come to the end it begins again: where
/// a thousand jobs wait it is done within five seconds.
/// </remarks>
public static class EndOrphanedJobs
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(5);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Ended);

    internal sealed class Handler(Databases databases, Admission admission, LookedEdges looks)
        : IRequestHandler<Command, Result<Report>>
    {
        private const int MaxEdges = 1_000;

        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
            var after = looks.Last;
            var looked = (
                await connection.QueryAsync<(Guid ProjectId, Guid ParentId, Guid ChildId, bool IsLost)>(
                    Sql.Look.With(
                        new
                        {
                            after.ProjectId,
                            after.ParentId,
                            after.ChildId,
                            Limit = MaxEdges,
                        },
                        cancellationToken
                    )
                )
            ).AsList();
            var lost = looked.FindAll(edge => edge.IsLost);
            var ended = await admission.LoseAsync(
                lost.ConvertAll(edge => (edge.ProjectId, edge.ParentId, edge.ChildId)),
                cancellationToken
            );
            looks.Last =
                looked.Count < MaxEdges ? default : (looked[^1].ProjectId, looked[^1].ParentId, looked[^1].ChildId);
            return new Report(ended);
        }
    }

    private static class Sql
    {
        // Engine-wide: the next pairs in their order, whosever they are. One look at both tables, so that who ends or is retried meanwhile
        // is in one of them; who is in neither does not come back. Each look is by a key, and not at all of a table whatever it held when
        // the plan was made; a day is left to clocks that differ.
        public const string Look = """
            SELECT e.project_id, e.parent_id, e.child_id,
                COALESCE(
                    (SELECT false FROM jobs j WHERE j.project_id = e.project_id AND j.id = e.parent_id LIMIT 1),
                    (
                        SELECT false
                        FROM job_history h
                        WHERE h.project_id = e.project_id AND h.id = e.parent_id
                            AND h.finished_at >= id_time(e.parent_id) - interval '1 day'
                        LIMIT 1
                    ),
                    true
                ) AS is_lost
            FROM job_edges e
            WHERE (e.project_id, e.parent_id, e.child_id) > (@ProjectId::uuid, @ParentId::uuid, @ChildId::uuid)
            ORDER BY e.project_id, e.parent_id, e.child_id
            LIMIT @Limit
            """;
    }
}
