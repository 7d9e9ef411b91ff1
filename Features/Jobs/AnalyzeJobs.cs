using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Has PostgreSQL look at the table of jobs anew where it has grown fourfold: within five seconds, not a minute.</summary>
/// <remarks>
/// Plans of statements are made once and kept. One that was made while the table was empty reads all of it, and goes on doing so while
/// a burst fills it; new statistics end all such plans, in every process.
/// </remarks>
public static class AnalyzeJobs
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(5);
    }

    public sealed record Command : IRequest<Result<Report>>;

    /// <param name="IsNew">Whether there are new statistics.</param>
    public sealed record Report(bool IsNew);

    internal sealed class Handler(NpgsqlDataSource database) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            return new Report(await connection.ExecuteScalarAsync<bool>(Sql.Analyze.With(null, cancellationToken)));
        }
    }

    private static class Sql
    {
        public const string Analyze = "SELECT analyze_jobs()";
    }
}
