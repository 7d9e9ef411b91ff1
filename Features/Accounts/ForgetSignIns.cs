using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Deletes sessions, families of tokens, one-time tokens and counts of failures a day after they are over.</summary>
public static class ForgetSignIns
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
        public async Task<Result<Report>> Handle(Command command, CancellationToken cancellationToken)
        {
            var arguments = new { Until = clock.GetUtcNow().UtcDateTime.AddDays(-1) };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var forgotten = 0;
            foreach (var sql in (string[])[Sql.Sessions, Sql.Families, Sql.Tokens, Sql.Throttles])
            {
                forgotten += await connection.ExecuteAsync(sql.With(arguments, cancellationToken));
            }

            return new Report(forgotten);
        }
    }

    private static class Sql
    {
        public const string Sessions = "DELETE FROM sessions WHERE expires_at < @Until OR last_seen_at < @Until";

        public const string Families = "DELETE FROM token_families WHERE expires_at < @Until OR ended_at < @Until";

        public const string Tokens = "DELETE FROM one_time_tokens WHERE expires_at < @Until OR used_at < @Until";

        public const string Throttles = "DELETE FROM login_throttles WHERE failed_at < @Until";
    }
}
