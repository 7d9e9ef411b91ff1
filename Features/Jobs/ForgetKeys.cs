using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Deletes keys whose time is over, and such as no job holds. They were free before: who wants one takes it.</summary>
/// <remarks>
/// A key goes with its job, in one transaction; one that no job holds is what a hand in the database has left. So few are looked at each
/// time that it costs nothing, and where a process has come to the end it begins again.
/// </remarks>
public static class ForgetKeys
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromMinutes(1);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Forgotten);

    internal sealed class Handler(NpgsqlDataSource database, LookedKeys looks)
        : IRequestHandler<Command, Result<Report>>
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

            return new Report(all + await ForgetHolderlessAsync(connection, cancellationToken));
        }

        private async Task<int> ForgetHolderlessAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
        {
            var after = looks.Last;
            var arguments = new
            {
                after.ProjectId,
                after.Key,
                Limit = MaxKeys,
            };
            var looked = (
                await connection.QueryAsync<(Guid ProjectId, string Key, bool IsHeld)>(
                    Sql.Look.With(arguments, cancellationToken)
                )
            ).AsList();
            looks.Last = looked.Count < MaxKeys ? (Guid.Empty, "") : (looked[^1].ProjectId, looked[^1].Key);
            var loose = looked.FindAll(key => !key.IsHeld);
            if (loose.Count == 0)
            {
                return 0;
            }

            var keys = new
            {
                ProjectIds = loose.ConvertAll(key => key.ProjectId).ToArray(),
                Keys = loose.ConvertAll(key => key.Key).ToArray(),
            };
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var locked = (
                await connection.QueryAsync<(Guid ProjectId, string Key)>(Sql.Lock.With(keys, cancellationToken))
            ).AsList();
            keys = new
            {
                ProjectIds = locked.ConvertAll(key => key.ProjectId).ToArray(),
                Keys = locked.ConvertAll(key => key.Key).ToArray(),
            };
            var forgotten = await connection.ExecuteAsync(Sql.ForgetHolderless.With(keys, cancellationToken));
            await transaction.CommitAsync(cancellationToken);
            return forgotten;
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

        // engine-wide: the next keys in their order, whosever they are; one for so many seconds may outlive its job
        public const string Look = """
            SELECT k.project_id, k.key,
                k.until = 2 OR EXISTS (SELECT FROM jobs j WHERE j.project_id = k.project_id AND j.id = k.job_id) AS is_held
            FROM job_keys k
            WHERE (k.project_id, k.key) > (@ProjectId, @Key)
            ORDER BY k.project_id, k.key
            LIMIT @Limit
            """;

        // engine-wide: of each key its project is named; one that is being taken at this moment is let be
        public const string Lock = """
            SELECT k.project_id, k.key
            FROM unnest(@ProjectIds::uuid[], @Keys::text[]) AS n(project_id, key)
            JOIN job_keys k ON k.project_id = n.project_id AND k.key = n.key
            ORDER BY k.project_id, k.key
            FOR UPDATE OF k SKIP LOCKED
            """;

        // Engine-wide: of each key its project is named. A look that is younger than the lock: whoever took the key meanwhile has its
        // job there.
        public const string ForgetHolderless = """
            DELETE FROM job_keys k
            USING unnest(@ProjectIds::uuid[], @Keys::text[]) AS n(project_id, key)
            WHERE k.project_id = n.project_id AND k.key = n.key AND k.until < 2
                AND NOT EXISTS (SELECT FROM jobs j WHERE j.project_id = k.project_id AND j.id = k.job_id)
            """;
    }
}
