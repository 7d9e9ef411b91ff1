using Bellhop.Infrastructure.Auth;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Looks up what workers tell ends of: the jobs that their leases still hold, and how the leases ended that are over.</summary>
internal sealed class ToldLeases(Caller caller)
{
    private const short Running = 2;

    /// <returns>Of each end the job and the lease it names.</returns>
    public async Task<FoundLease[]> FindAsync(
        NpgsqlConnection connection,
        EndDocument[] ends,
        CancellationToken cancellationToken
    )
    {
        if (ends.Length == 0)
        {
            return [];
        }

        var leases = Array.ConvertAll(ends, end => Lease.Parse(end.Lease) ?? default);
        await using var command = new NpgsqlCommand(Sql.Find, connection)
        {
            Parameters =
            {
                new("ProjectId", caller.ProjectId),
                new("ReachQueues", NpgsqlDbType.Array | NpgsqlDbType.Text)
                {
                    Value = (object?)caller.ReachQueues ?? DBNull.Value,
                },
                new("Ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid)
                {
                    Value = ends.Select(end => end.Id!.Value).ToArray(),
                },
            },
        };
        var found = new FoundLease[ends.Length];
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                var place = reader.GetInt64(0) - 1;
                found[place] = Read(reader, leases[place]);
            }
        }

        await FindEndedAsync(connection, ends, leases, found, cancellationToken);
        await FindAttemptsAsync(connection, ends, found, cancellationToken);
        return found;
    }

    private FoundLease Read(NpgsqlDataReader reader, Lease lease)
    {
        var isOurs = reader.GetInt64(4) == lease.ClaimNo && !reader.IsDBNull(5) && reader.GetGuid(5) == lease.ClaimKey;
        var state = reader.GetInt16(6);
        return new FoundLease(
            isOurs && state == Running
                ? new ClaimedJob(
                    caller.ProjectId,
                    reader.GetGuid(1),
                    reader.GetInt64(7),
                    reader.GetString(2),
                    reader.GetString(3),
                    lease.ClaimNo,
                    reader.GetInt16(8),
                    reader.GetInt16(9),
                    0,
                    "{}",
                    null
                )
                {
                    Lane = reader.IsDBNull(10) ? null : reader.GetString(10),
                    Snoozes = reader.GetInt16(11),
                }
                : null,
            IsThere: true,
            IsOurs: isOurs,
            IsToBeCanceled: reader.GetBoolean(12),
            EndedAs: null
        );
    }

    /// <summary>Of leases that are over and were the last ones: how they ended, where the job went back or failed.</summary>
    /// <remarks>What became of the job after that, such as a cancel by an operator, is no word about the lease.</remarks>
    private async Task FindAttemptsAsync(
        NpgsqlConnection connection,
        EndDocument[] ends,
        FoundLease[] found,
        CancellationToken cancellationToken
    )
    {
        var back = Enumerable
            .Range(0, ends.Length)
            .Where(place => found[place] is { IsOurs: true, Job: null })
            .ToArray();
        if (back.Length == 0)
        {
            return;
        }

        await using var command = new NpgsqlCommand(Sql.FindAttempts, connection)
        {
            Parameters =
            {
                new("ProjectId", caller.ProjectId),
                new("Ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid)
                {
                    Value = back.Select(place => ends[place].Id!.Value).ToArray(),
                },
                new("ClaimNos", NpgsqlDbType.Array | NpgsqlDbType.Bigint)
                {
                    Value = back.Select(place => Lease.Parse(ends[place].Lease)!.Value.ClaimNo).ToArray(),
                },
            },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var place = back[reader.GetInt64(0) - 1];
            found[place] = found[place] with { EndedAs = reader.GetString(1) };
        }
    }

    private async Task FindEndedAsync(
        NpgsqlConnection connection,
        EndDocument[] ends,
        Lease[] leases,
        FoundLease[] found,
        CancellationToken cancellationToken
    )
    {
        var missing = Enumerable.Range(0, ends.Length).Where(place => !found[place].IsThere).ToArray();
        if (missing.Length == 0)
        {
            return;
        }

        await using var command = new NpgsqlCommand(Sql.FindEnded, connection)
        {
            Parameters =
            {
                new("ProjectId", caller.ProjectId),
                new("ReachQueues", NpgsqlDbType.Array | NpgsqlDbType.Text)
                {
                    Value = (object?)caller.ReachQueues ?? DBNull.Value,
                },
                new("Ids", NpgsqlDbType.Array | NpgsqlDbType.Uuid)
                {
                    Value = missing.Select(place => ends[place].Id!.Value).ToArray(),
                },
            },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var place = missing[reader.GetInt64(0) - 1];
            var isOurs =
                reader.GetInt64(1) == leases[place].ClaimNo
                && !reader.IsDBNull(2)
                && reader.GetGuid(2) == leases[place].ClaimKey;
            found[place] = new FoundLease(
                null,
                IsThere: true,
                isOurs,
                IsToBeCanceled: false,
                EndedAs: reader.IsDBNull(3) ? null : reader.GetString(3)
            );
        }
    }

    private static class Sql
    {
        public const string Find = """
            SELECT e.position, f.*
            FROM unnest(@Ids::uuid[]) WITH ORDINALITY AS e(id, position)
            CROSS JOIN LATERAL (
                SELECT j.id, q.name, j.kind, j.claim_no, j.claim_key, j.state, j.queue_id, j.attempt, j.max_attempts, j.lane,
                    j.snoozes, j.cancel_requested_at IS NOT NULL AS is_to_be_canceled
                FROM jobs j
                JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
                WHERE j.project_id = @ProjectId AND j.id = e.id AND (@ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues))
                LIMIT 1
            ) AS f
            """;

        public const string FindAttempts = """
            SELECT e.position, a.outcome
            FROM unnest(@Ids::uuid[], @ClaimNos::bigint[]) WITH ORDINALITY AS e(id, claim_no, position)
            CROSS JOIN LATERAL (
                SELECT outcome
                FROM job_attempts
                WHERE project_id = @ProjectId AND job_id = e.id AND claim_no = e.claim_no AND at >= id_time(e.id) - interval '1 minute'
                LIMIT 1
            ) AS a
            """;

        public const string FindEnded = """
            SELECT e.position, f.*
            FROM unnest(@Ids::uuid[]) WITH ORDINALITY AS e(id, position)
            CROSS JOIN LATERAL (
                SELECT h.claim_no, h.claim_key,
                    CASE
                        WHEN h.outcome = 0 THEN 'succeeded'
                        WHEN h.outcome = 1 AND h.reason IS NULL THEN 'failed'
                        WHEN h.outcome = 2 THEN 'canceled'
                    END AS ended_as
                FROM job_history h
                JOIN queues q ON q.project_id = h.project_id AND q.queue_id = h.queue_id
                WHERE h.project_id = @ProjectId AND h.id = e.id AND h.finished_at >= id_time(e.id) - interval '1 minute'
                    AND (@ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues))
                LIMIT 1
            ) AS f
            """;
    }
}

/// <summary>A lease that an end was told with, and its job.</summary>
/// <param name="Job">Held by this lease.</param>
/// <param name="IsOurs">The lease was the last one of the job.</param>
/// <param name="IsToBeCanceled">Somebody asked for that.</param>
/// <param name="EndedAs">How that lease ended, in the word a worker would have told.</param>
internal readonly record struct FoundLease(
    ClaimedJob? Job,
    bool IsThere,
    bool IsOurs,
    bool IsToBeCanceled,
    string? EndedAs
)
{
    public EndStatus StatusOf(string told) =>
        !IsThere ? EndStatus.Unknown
        : IsOurs && EndedAs == told ? EndStatus.Duplicate
        : EndStatus.LeaseLost;
}
