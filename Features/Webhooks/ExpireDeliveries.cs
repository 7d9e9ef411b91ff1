using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Webhooks;

/// <summary>Ends deliveries that were not tried for so long that no sender looks at them any more: eight days.</summary>
/// <remarks>Only an outage of days leaves such ones behind: the last planned attempt is seven days after the event at most.</remarks>
public static class ExpireDeliveries
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromMinutes(10);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Expired);

    internal sealed class Handler(NpgsqlDataSource database) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            return new Report(await connection.ExecuteAsync(Sql.Expire.With(null, cancellationToken)));
        }
    }

    private static class Sql
    {
        // engine-wide: the calendar is the same for every project; locked in the order of the key
        public const string Expire = """
            WITH old AS MATERIALIZED (
                SELECT project_id, id
                FROM deliveries
                WHERE id < first_id_at(now() - interval '8 days') AND state IN ('pending', 'sending')
                ORDER BY project_id, id
                LIMIT 10000
                FOR UPDATE SKIP LOCKED
            )
            UPDATE deliveries d
            SET state = 'failed', next_attempt_at = NULL, finished_at = now(), sender_job = NULL, sender_claim = NULL
            FROM old
            WHERE d.project_id = old.project_id AND d.id = old.id AND d.state IN ('pending', 'sending')
            """;
    }
}
