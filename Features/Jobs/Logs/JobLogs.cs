using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>Shows the logs of jobs to a caller who may see their data.</summary>
internal sealed class JobLogs(NpgsqlDataSource database, JobViews jobs, Caller caller)
{
    /// <summary>Null: the caller may see the log.</summary>
    public async Task<Problem?> RefuseAsync(Guid id, CancellationToken cancellationToken) =>
        !caller.May(Permissions.DataRead)
            ? Problems.Forbidden.Because($"The caller lacks the permission {Permissions.DataRead}.")
        : await jobs.IsThereAsync(id, cancellationToken) ? null
        : JobProblems.NoJob;

    /// <summary>The lines behind a place, the oldest first, with marks where some are missing.</summary>
    /// <param name="level">No line of a lower one; marks come with every level, but only those that are stored where it is not the lowest.</param>
    public async Task<IReadOnlyList<JobLogLine>> ReadAsync(
        Guid id,
        long after,
        JobLogLevel level,
        int take,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<StoredLine>(
            Sql.Read.With(
                new
                {
                    caller.ProjectId,
                    Id = id,
                    After = after,
                    Level = (short)level,
                    Take = take,
                },
                cancellationToken
            )
        );
        return [.. level == JobLogLevel.Debug ? JobLogLine.Show(rows, after) : rows.Select(row => row.Show())];
    }

    private static class Sql
    {
        public const string Read = """
            SELECT seq, at, level, line, number
            FROM job_logs
            WHERE project_id = @ProjectId AND job_id = @Id AND at >= id_time(@Id) - interval '1 minute' AND seq > @After
                AND level >= @Level
            ORDER BY seq
            LIMIT @Take
            """;
    }
}
