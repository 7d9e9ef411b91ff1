using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Forgets workers that were not seen for a day: each start has an id of its own.</summary>
public static class ForgetWorkers
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromMinutes(10);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Forgotten);

    internal sealed class Handler(NpgsqlDataSource database) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            return new Report(await connection.ExecuteAsync(Sql.Forget.With(null, cancellationToken)));
        }
    }

    private static class Sql
    {
        // engine-wide: a day is a day in every project
        public const string Forget = "DELETE FROM workers WHERE last_seen_at < now() - interval '1 day'";
    }
}
