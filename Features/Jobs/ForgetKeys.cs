using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Deletes keys of jobs whose time is over. They were free before: who wants one takes it.</summary>
public static class ForgetKeys
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromMinutes(1);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Forgotten);

    internal sealed class Handler(NpgsqlDataSource database) : IRequestHandler<Command, Result<Report>>
    {
        private const int MaxKeys = 1_000;

        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var all = 0;
            for (var forgotten = MaxKeys; forgotten == MaxKeys; all += forgotten)
            {
                forgotten = await connection.ExecuteAsync(Sql.Forget.With(new { Limit = MaxKeys }, cancellationToken));
            }

            return new Report(all);
        }
    }

    private static class Sql
    {
        // engine-wide: a key that is over is so in every project; one that is being taken at this moment is let be
        public const string Forget = """
            WITH over AS MATERIALIZED (
                SELECT project_id, key
                FROM job_keys
                WHERE expires_at < now()
                ORDER BY project_id, key
                LIMIT @Limit
                FOR UPDATE SKIP LOCKED
            )
            DELETE FROM job_keys k
            USING over o
            WHERE k.project_id = o.project_id AND k.key = o.key AND k.expires_at < now()
            """;
    }
}
