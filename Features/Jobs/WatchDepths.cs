using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Looks which queues with a <c>max_depth</c> are full, so that no enqueue has to count.</summary>
public static class WatchDepths
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(1);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Full);

    internal sealed class Handler(NpgsqlDataSource database, QueueDepths depths)
        : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var full = (
                await connection.QueryAsync<(Guid ProjectId, string Queue)>(Sql.FindFull.With(null, cancellationToken))
            ).AsList();
            depths.Become(full);
            return new Report(full.Count);
        }
    }

    private static class Sql
    {
        // engine-wide: a queue is full whoever asks
        public const string FindFull = """
            SELECT q.project_id, q.name
            FROM queues q
            WHERE q.max_depth IS NOT NULL AND q.deleted_at IS NULL AND (
                SELECT count(*)
                FROM (
                    (SELECT FROM jobs j WHERE j.queue_id = q.queue_id AND j.state = 1 LIMIT q.max_depth)
                    UNION ALL
                    (SELECT FROM jobs j WHERE j.queue_id = q.queue_id AND j.state = 2 LIMIT q.max_depth)
                    UNION ALL
                    (SELECT FROM jobs j WHERE j.queue_id = q.queue_id AND j.state = 0 AND j.wait_reason = 1 LIMIT q.max_depth)
                ) AS unfinished
            ) >= q.max_depth
            """;
    }
}
