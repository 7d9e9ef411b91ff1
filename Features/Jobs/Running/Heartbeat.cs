using System.Threading.Channels;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Extends the leases of what this process holds, a third of a lease after the last time; shorter jobs never beat.</summary>
/// <remarks>
/// A job whose claim is gone, or whose lease ended while the database could not be reached, is cancelled here: somebody else has
/// it or soon will. A row that is locked is being finished; it is asked for again a second later. The same answer says which jobs
/// are to be canceled: at once where a signal told of one, else at the next beat.
/// </remarks>
internal sealed partial class Heartbeat(
    HeldJobs held,
    Databases databases,
    Notifications notifications,
    TimeProvider clock,
    ILogger<Heartbeat> logger
) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // written by the listening loop, read by the loop that asks; null: any job may be meant
    private readonly Channel<Guid?> _told = Channel.CreateBounded<Guid?>(
        new BoundedChannelOptions(1_000) { FullMode = BoundedChannelFullMode.DropWrite }
    );

    /// <summary>Extends everything that is held, whether or not it is time.</summary>
    public Task BeatAsync(CancellationToken cancellationToken) =>
        ExtendAsync([.. held.All.Where(job => !job.IsEnding && !job.IsLost)], cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var cancels = QueueSignals.OnCancel(notifications, id => _told.Writer.TryWrite(id));
        await Task.WhenAll(BeatEachSecondAsync(stoppingToken), AskWhenToldAsync(stoppingToken));
    }

    /// <summary>A signal is only a hint, and may be about an earlier claim: the database says what is to be canceled.</summary>
    private async Task AskWhenToldAsync(CancellationToken stoppingToken)
    {
        await foreach (var id in _told.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                await ExtendAsync(
                    [.. held.All.Where(job => (id is null || job.Job.Id == id) && !job.IsEnding && !job.IsLost)],
                    stoppingToken
                );
            }
            catch (NpgsqlException)
            {
                // the next beat asks again, and tells of an outage
            }
        }
    }

    private async Task BeatEachSecondAsync(CancellationToken stoppingToken)
    {
        var pace = new LogPace(clock);
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            foreach (var job in held.All.Where(job => !job.IsEnding && job.IsDueToStop))
            {
                job.Overrun();
            }

            var due = held
                .All.Where(job =>
                    job is { IsEnding: false, IsLost: false, IsOverdue: false } && job.SinceExtended >= job.Lease / 3
                )
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

            if (reader.GetBoolean(3))
            {
                job.CancelJob();
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

    internal static class Sql
    {
        // A lease says "running" and fits no partial index: rows are found by their keys. What is locked is skipped, so it waits for
        // no end and cannot deadlock with one; see JobEndings.
        public const string Extend = """
            WITH asked AS MATERIALIZED (
                SELECT a.project_id, a.id, a.claim_no, a.lease_seconds, a.position
                FROM unnest(@ProjectIds::uuid[], @Ids::uuid[], @ClaimNos::bigint[], @LeaseSeconds::integer[])
                    WITH ORDINALITY AS a(project_id, id, claim_no, lease_seconds, position)
            ),
            free AS MATERIALIZED (
                SELECT f.place, a.claim_no, a.lease_seconds, a.position
                FROM asked a
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place
                    FROM jobs j
                    WHERE j.project_id = a.project_id AND j.id = a.id AND j.claim_no = a.claim_no AND j.lease_until IS NOT NULL
                    LIMIT 1
                    FOR UPDATE SKIP LOCKED
                ) AS f
            ),
            extended AS (
                UPDATE jobs j
                SET lease_until = now() + make_interval(secs => f.lease_seconds)
                FROM free f
                WHERE j.ctid = f.place AND j.claim_no = f.claim_no
                RETURNING f.position
            )
            SELECT a.position, j.is_canceled IS NOT NULL AS is_held,
                EXISTS (SELECT FROM extended e WHERE e.position = a.position) AS is_extended,
                COALESCE(j.is_canceled, false) AS is_canceled
            FROM asked a
            LEFT JOIN LATERAL (
                SELECT cancel_requested_at IS NOT NULL AS is_canceled
                FROM jobs
                WHERE project_id = a.project_id AND id = a.id AND claim_no = a.claim_no AND lease_until IS NOT NULL
                LIMIT 1
            ) AS j ON true
            """;
    }
}
