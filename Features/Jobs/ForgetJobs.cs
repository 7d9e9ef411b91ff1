using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>
/// Forgets jobs that ended more than <c>Bellhop:Retention:JobDays</c> days ago, with their attempts, logs and counts: whole days at a time.
/// </summary>
/// <remarks>
/// A day is a table of its own, which is dropped: that takes as long for fifty million jobs as for one. What ends meanwhile waits for it
/// a tenth of a second at most; a table that is in use for longer is left for the next time. Jobs that have not ended are never forgotten.
/// </remarks>
public static partial class ForgetJobs
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromMinutes(10);
    }

    public sealed record Command : IRequest<Result<Report>>;

    /// <param name="Dropped">The tables that are gone, each of one day.</param>
    public sealed record Report(IReadOnlyList<string> Dropped);

    internal sealed partial class Handler(NpgsqlDataSource database, Settings settings, ILogger<Handler> logger)
        : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command command, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var dropped = new List<string>();
            while (await DropAsync(connection, cancellationToken) is { } table)
            {
                TableDropped(logger, table);
                dropped.Add(table);
            }

            return new Report(dropped);
        }

        private async Task<string?> DropAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
        {
            try
            {
                return await connection.QuerySingleAsync<string?>(
                    Sql.Drop.With(new { Days = settings.RetentionJobDays }, cancellationToken)
                );
            }
            catch (PostgresException exception) when (ExpectedErrors.IsContention(exception))
            {
                return null; // somebody reads it at this moment
            }
        }

        [LoggerMessage(LogLevel.Information, "{Table} was dropped: it held only what is older than is to be kept.")]
        private static partial void TableDropped(ILogger logger, string table);
    }

    private static class Sql
    {
        public const string Drop = "SELECT drop_job_partition((now() AT TIME ZONE 'UTC')::date - @Days::integer)";
    }
}
