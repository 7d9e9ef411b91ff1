using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.System;

/// <summary>Deletes the answers to requests with an <c>Idempotency-Key</c> that are older than a day.</summary>
public static class ForgetIdempotencyKeys
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromMinutes(1);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Forgotten);

    internal sealed class Handler(NpgsqlDataSource database, TimeProvider clock)
        : IRequestHandler<Command, Result<Report>>
    {
        private const int Batch = 5_000;

        public async Task<Result<Report>> Handle(Command command, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var forgotten = 0;
            int some;
            do
            {
                some = await connection.ExecuteAsync(
                    Sql.Forget.With(new { Until = clock.GetUtcNow().UtcDateTime.AddDays(-1), Batch }, cancellationToken)
                );
                forgotten += some;
            } while (some == Batch);

            return new Report(forgotten);
        }
    }

    private static class Sql
    {
        public const string Forget = """
            DELETE FROM idempotency_keys
            WHERE (project_id, key_sha256) IN (
                SELECT project_id, key_sha256
                FROM idempotency_keys
                WHERE created_at < @Until
                ORDER BY created_at
                LIMIT @Batch
                FOR UPDATE SKIP LOCKED
            )
            """;
    }
}
