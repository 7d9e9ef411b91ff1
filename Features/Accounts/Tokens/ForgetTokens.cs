using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Deletes the refresh tokens of logins that ended by their age a day ago.</summary>
public static class ForgetTokens
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromMinutes(10);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Forgotten);

    internal sealed class Handler(NpgsqlDataSource database, TimeProvider clock)
        : IRequestHandler<Command, Result<Report>>
    {
        private const int Batch = 500;

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
            DELETE FROM token_families
            WHERE (user_id, id) IN (
                SELECT user_id, id
                FROM token_families
                WHERE expires_at < @Until
                ORDER BY expires_at
                LIMIT @Batch
                FOR UPDATE SKIP LOCKED
            )
            """;
    }
}
