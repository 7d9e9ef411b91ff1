using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Extends the leases of what this process holds, a third of a lease after the last time; shorter jobs never beat.</summary>
/// <remarks>
/// A job whose claim is gone, or whose lease ended while the database could not be reached, is cancelled here: somebody else has
/// it or soon will. A row that is locked is being finished; it is asked for again a second later.
/// </remarks>
internal sealed partial class Heartbeat(
    HeldJobs held,
    Databases databases,
    TimeProvider clock,
    ILogger<Heartbeat> logger
) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Extends everything that is held, whether or not it is time.</summary>
    public Task BeatAsync(CancellationToken cancellationToken) =>
        ExtendAsync([.. held.All.Where(job => !job.IsEnding && !job.IsLost)], cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pace = new LogPace(clock);
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            var due = held
                .All.Where(job => !job.IsEnding && !job.IsLost && job.SinceExtended >= job.Lease / 3)
                .ToArray();
            try
            {
                await ExtendAsync(due, stoppingToken);
            }
            catch (NpgsqlException exception)
            {
                if (pace.IsDue())
                {
                    NotExtended(logger, due.Length, exception.Message);
                }
            }

            foreach (var job in due.Where(job => job.SinceExtended >= job.Lease))
            {
                LeaseLost(logger, job.Job.Id, job.Job.Kind);
                job.Lose();
            }
        }
    }

    private async Task ExtendAsync(HeldJob[] jobs, CancellationToken cancellationToken)
    {
        if (jobs.Length == 0)
        {
            return;
        }

        var asked = clock.GetTimestamp();
        await using var command = databases.Engine.CreateCommand(Sql.Extend);
        Add(command, "ProjectIds", NpgsqlDbType.Uuid, jobs.Select(job => job.Job.ProjectId).ToArray());
        Add(command, "Ids", NpgsqlDbType.Uuid, jobs.Select(job => job.Job.Id).ToArray());
        Add(command, "ClaimNos", NpgsqlDbType.Bigint, jobs.Select(job => job.Job.ClaimNo).ToArray());
        Add(command, "LeaseSeconds", NpgsqlDbType.Integer, jobs.Select(job => (int)job.Lease.TotalSeconds).ToArray());
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var job = jobs[reader.GetInt64(0) - 1];
            var (isHeld, isExtended) = (reader.GetBoolean(1), reader.GetBoolean(2));
            if (isExtended)
            {
                job.Extended(asked);
            }
            else if (!isHeld && !job.IsEnding)
            {
                LeaseLost(logger, job.Job.Id, job.Job.Kind);
                job.Lose();
            }
        }
    }

    private static void Add(NpgsqlCommand command, string name, NpgsqlDbType type, object values) =>
        command.Parameters.Add(new(name, NpgsqlDbType.Array | type) { Value = values });

    [LoggerMessage(LogLevel.Warning, "The lease of job {JobId} ({Kind}) is lost; its handler is cancelled.")]
    private static partial void LeaseLost(ILogger logger, Guid jobId, string kind);

    [LoggerMessage(LogLevel.Warning, "{Count} leases could not be extended ({Reason}); trying again each second.")]
    private static partial void NotExtended(ILogger logger, int count, string reason);

    private static class Sql
    {
        // Locked in the order of every finish, and skipped where locked: the two can neither deadlock nor wait for each other.
        public const string Extend = """
            WITH asked AS MATERIALIZED (
                SELECT a.project_id, a.id, a.claim_no, a.lease_seconds, a.position
                FROM unnest(@ProjectIds::uuid[], @Ids::uuid[], @ClaimNos::bigint[], @LeaseSeconds::integer[])
                    WITH ORDINALITY AS a(project_id, id, claim_no, lease_seconds, position)
            ),
            free AS MATERIALIZED (
                SELECT j.project_id, j.id, a.lease_seconds, a.position
                FROM asked a
                JOIN jobs j ON j.project_id = a.project_id AND j.id = a.id
                WHERE j.claim_no = a.claim_no AND j.state = 2
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j SKIP LOCKED
            ),
            extended AS (
                UPDATE jobs j
                SET lease_until = now() + make_interval(secs => f.lease_seconds)
                FROM free f
                WHERE j.project_id = f.project_id AND j.id = f.id AND j.state = 2
                RETURNING f.position
            )
            SELECT a.position,
                EXISTS (
                    SELECT FROM jobs j
                    WHERE j.project_id = a.project_id AND j.id = a.id AND j.claim_no = a.claim_no AND j.state = 2
                ) AS is_held,
                EXISTS (SELECT FROM extended e WHERE e.position = a.position) AS is_extended
            FROM asked a
            """;
    }
}
