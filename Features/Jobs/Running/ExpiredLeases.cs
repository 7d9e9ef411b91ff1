using Bellhop.Features.Jobs.Queues;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Dapper;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Makes jobs of silent processes ready again, a thousand a pass.</summary>
/// <remarks>
/// A job that is lost waits five seconds longer each time, a minute at most, unless it carries other work. One that was lost twice is on
/// trial: its process holds no other that ever was, and if that goes silent as well, the job is failed (<c>worker_lost</c>). Whoever
/// claims also calls this, so that no duty has to be alive for it.
/// </remarks>
internal sealed class ExpiredLeases(
    Databases databases,
    JobKinds kinds,
    QueueMinutes minutes,
    Admission admission,
    TimeProvider clock
)
{
    private const int MaxJobs = 1_000; // each pass reads everything that runs
    private static readonly TimeSpan ShortestRest = TimeSpan.FromSeconds(1);

    // the runner's loop alone reads and writes them
    private readonly Rest _restByCost = new(times: 20, ShortestRest, longest: TimeSpan.FromSeconds(10));
    private long? _lookedAt;
    private TimeSpan _rest;

    /// <summary>Looks once a second, and more seldom where that costs more than a twentieth of the time.</summary>
    /// <remarks>It does while a transaction is held open: what ran since then stays to be passed over. Never later than ten seconds.</remarks>
    public async Task<bool> RescueNowAndThenAsync(CancellationToken cancellationToken)
    {
        if (_lookedAt is { } last && clock.GetElapsedTime(last) < _rest)
        {
            return false;
        }

        var asked = clock.GetTimestamp();
        (_lookedAt, _rest) = (asked, ShortestRest);
        var lost = await RescueAsync(cancellationToken);
        _rest = _restByCost.After(clock.GetElapsedTime(asked));
        return lost > 0;
    }

    /// <summary>Answers how many jobs were lost.</summary>
    public async Task<int> RescueAsync(CancellationToken cancellationToken)
    {
        await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
        var carriers = kinds.Carriers;
        var all = 0;
        int lost;
        do
        {
            var found = (
                await connection.QueryAsync<Lost>(
                    Sql.Rescue.With(new { Carriers = carriers, Limit = MaxJobs }, cancellationToken)
                )
            ).AsList();
            foreach (var one in found)
            {
                minutes.CountLost(one.ProjectId, one.QueueId, one.Jobs);
                if (one.FailedId is { } id)
                {
                    admission.Left(one.ProjectId, id, one.QueueId, one.Lane, one.HasChildren);
                }
            }

            lost = found.Sum(one => one.Jobs);
            JobMetrics.Rescues.Inc();
            JobMetrics.LeasesExpired.Inc(lost);
            all += lost;
        } while (lost == MaxJobs);

        return all;
    }

    /// <summary>Jobs of a queue that are ready again, or one that is failed.</summary>
    private sealed record Lost(Guid ProjectId, long QueueId, int Jobs, Guid? FailedId, string? Lane, bool HasChildren);

    private static class Sql
    {
        // Engine-wide: the queues of all projects, also those that remote workers serve. Sorted where they are locked and not where they
        // are found, or all jobs would be read in the order of their keys; reached by their places, as what is claimed is.
        public const string Rescue = $"""
            WITH silent AS MATERIALIZED (
                SELECT ctid AS place, project_id, id, lost >= 2 AND kind <> ALL (@Carriers::text[]) AS is_convicted
                FROM jobs
                WHERE state = 2 AND lease_until < now() AND cancel_requested_at IS NULL
                LIMIT @Limit
            ),
            expired AS MATERIALIZED (
                SELECT s.place, s.is_convicted
                FROM silent s
                JOIN jobs j ON j.ctid = s.place
                WHERE j.lease_until < now() AND j.cancel_requested_at IS NULL
                ORDER BY s.project_id, s.id
                FOR UPDATE OF j SKIP LOCKED
            ),
            gone AS (
                DELETE FROM jobs j
                USING expired e
                WHERE e.is_convicted AND j.ctid = e.place AND j.lease_until < now()
                RETURNING {EndedJobs.Columns}, 1::smallint AS outcome, 'worker_lost'::text AS reason, NULL::json AS result,
                    json_build_object(
                        'code', 'worker_lost', 'message', 'Three processes that executed it went silent, the last with no other suspect.'
                    ) AS error
            ),
            {EndedJobs.Kept},
            lost AS (
                UPDATE jobs j
                SET state = 1, lease_until = NULL, lost = LEAST(j.lost + 1, 32767),
                    run_at = now() + CASE
                        WHEN j.kind = ANY(@Carriers::text[]) THEN interval '0'
                        ELSE make_interval(secs => LEAST(5 * (j.lost + 1), 60))
                    END
                FROM expired e
                WHERE NOT e.is_convicted AND j.ctid = e.place AND j.lease_until < now() AND j.cancel_requested_at IS NULL
                RETURNING j.project_id, j.id, j.queue_id, j.claim_no, j.attempt, j.worker_id, j.claimed_at
            ),
            noted AS (
                INSERT INTO job_attempts (project_id, job_id, claim_no, attempt, outcome, worker_id, started_at)
                SELECT project_id, id, claim_no, attempt, 'lost', worker_id, claimed_at FROM lost
                UNION ALL
                SELECT project_id, id, claim_no, attempt, 'lost', worker_id, claimed_at FROM gone
            )
            SELECT project_id, queue_id, count(*)::integer AS jobs, NULL::uuid AS failed_id, NULL AS lane, false AS has_children
            FROM lost
            GROUP BY project_id, queue_id
            UNION ALL
            SELECT project_id, queue_id, 1, id, lane, has_children FROM gone
            """;
    }
}
