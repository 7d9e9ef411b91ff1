using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;
using Prometheus;

namespace Bellhop.Features.System;

/// <summary>Makes the partitions of the next seven days, and watches for rows that no day took.</summary>
public static partial class MakePartitions
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromHours(1);
    }

    public sealed record Command : IRequest<Result<Report>>;

    /// <param name="Made">How many partitions were missing.</param>
    /// <param name="Strays">Rows in default partitions: their ids say a day that has no partition.</param>
    public sealed record Report(int Made, long Strays);

    internal sealed partial class Handler(NpgsqlDataSource database, ILogger<Handler> logger)
        : IRequestHandler<Command, Result<Report>>
    {
        private static readonly Gauge Rows = Metrics.CreateGauge(
            "bellhop_default_partition_rows",
            "Rows that no daily partition took: a clock is wrong by days."
        );

        public async Task<Result<Report>> Handle(Command command, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var made = await connection.QuerySingleAsync<int>(Sql.Make.With(null, cancellationToken));
            var strays = await connection.QuerySingleAsync<long>(Sql.CountStrays.With(null, cancellationToken));
            Rows.Set(strays);
            if (strays > 0)
            {
                RowsStrayed(logger, strays);
            }

            return new Report(made, strays);
        }

        [LoggerMessage(LogLevel.Warning, "{Rows} rows lie in default partitions: some clock is wrong by days.")]
        private static partial void RowsStrayed(ILogger logger, long rows);
    }

    private static class Sql
    {
        public const string Make = "SELECT make_partitions((now() AT TIME ZONE 'UTC')::date + 7)";

        // rows that stray are few, or none: each count is that of an empty table
        public const string CountStrays = """
            SELECT
                (SELECT count(*) FROM events_default)
                + (SELECT count(*) FROM source_rejections_default)
                + (SELECT count(*) FROM job_history_default)
                + (SELECT count(*) FROM job_attempts_default)
                + (SELECT count(*) FROM job_logs_default)
                + (SELECT count(*) FROM queue_minutes_default)
                + (SELECT count(*) FROM runs_default)
                + (SELECT count(*) FROM run_steps_default)
                + (SELECT count(*) FROM deliveries_default)
                + (SELECT count(*) FROM delivery_attempts_default)
            """;
    }
}
