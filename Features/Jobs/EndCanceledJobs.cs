using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Ends jobs that were to stop and have not in time, or whose process went silent: they are canceled, whoever holds them.</summary>
public static class EndCanceledJobs
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(1);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Ended);

    internal sealed class Handler(Databases databases, QueueSignals signals, Admission admission)
        : IRequestHandler<Command, Result<Report>>
    {
        private const int MaxJobs = 200;

        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
            var all = 0;
            int ended;
            do
            {
                var canceled = (
                    await connection.QueryAsync<(
                        Guid ProjectId,
                        Guid Id,
                        long QueueId,
                        string? Lane,
                        bool HasChildren
                    )>(Sql.End.With(new { Limit = MaxJobs }, cancellationToken))
                ).AsList();
                canceled.ForEach(job => admission.Left(job.ProjectId, job.Id, job.QueueId, job.Lane, job.HasChildren));
                ended = canceled.Count;
                all += ended;
            } while (ended == MaxJobs);

            if (all > 0)
            {
                signals.Raise(); // what continues them is due
            }

            return new Report(all);
        }
    }

    private static class Sql
    {
        // engine-wide: a grace that is over is over in every project
        public const string End = $"""
            WITH late AS MATERIALIZED (
                SELECT project_id, id, claim_no
                FROM jobs
                WHERE cancel_requested_at IS NOT NULL AND state = 2 AND (cancel_by <= now() OR lease_until < now())
                ORDER BY project_id, id
                LIMIT @Limit
                FOR UPDATE SKIP LOCKED
            ),
            gone AS (
                DELETE FROM jobs j
                USING late l
                WHERE j.project_id = l.project_id AND j.id = l.id AND j.claim_no = l.claim_no AND j.state = 2
                RETURNING {EndedJobs.Columns}, 2::smallint AS outcome, 'canceled'::text AS reason, NULL::json AS result,
                    NULL::json AS error
            ),
            {EndedJobs.Kept}
            SELECT project_id, id, queue_id, lane, has_children FROM gone
            """;
    }
}
