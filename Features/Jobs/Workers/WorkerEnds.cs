using Bellhop.Features.Jobs.Logs;
using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>What became of an end that a worker told.</summary>
internal enum EndStatus
{
    Accepted,
    Duplicate,
    LeaseLost,
    Unknown,
}

/// <summary>An end that was told, and what became of it.</summary>
public sealed record ToldEnd
{
    internal ToldEnd(Guid? id, Result<EndStatus> result) => (Id, Result) = (id, result);

    public Guid? Id { get; }

    internal Result<EndStatus> Result { get; }
}

/// <summary>Stores the ends that workers tell, each guarded by its lease; the same end told again is answered as such.</summary>
/// <remarks>A lease that ran out still counts until the job is given back to its queue, within seconds.</remarks>
internal sealed class WorkerEnds(
    Databases databases,
    EndingStore store,
    HandedJobs handed,
    EndRules rules,
    Caller caller,
    TimeProvider clock
)
{
    private const short Running = 2;

    private static Problem Uncalled { get; } =
        Problems.Invalid.Because(
            "Nobody asked for the job to be canceled.",
            FieldError.At("/outcome", "invalid_outcome", "Release it, or let it fail.")
        );

    /// <returns>Of each end what became of it, or what is wrong with it.</returns>
    public Task<IReadOnlyList<Result<EndStatus>>> StoreAsync(
        IReadOnlyList<EndDocument> ends,
        CancellationToken cancellationToken
    ) =>
        // what was stored before the statement that lost is found as a duplicate, with its status
        Outages
            .RepeatInContentionAsync(() => TryStoreAsync(ends, cancellationToken))
            .WaitPatientlyAsync(cancellationToken);

    private async Task<IReadOnlyList<Result<EndStatus>>> TryStoreAsync(
        IReadOnlyList<EndDocument> ends,
        CancellationToken cancellationToken
    )
    {
        var results = ends.Select(Check).ToArray();
        var sound = Enumerable.Range(0, ends.Count).Where(index => results[index].Problem is null).ToArray();
        if (sound.Length == 0)
        {
            return results;
        }

        await using var connection = await databases.Workers.OpenConnectionAsync(cancellationToken);
        var held = new List<(int Index, Ending Ending)>();
        var meant = new Dictionary<(Guid, long), string>();
        var twice = sound
            .Select(index => ends[index].Id)
            .GroupBy(id => id)
            .Where(group => group.Count() > 1)
            .ToLookup(group => group.Key);
        var unknown = Array.FindAll(sound, index => !IsSuccessOfOurs(index));
        var found = await FindAsync(connection, Array.ConvertAll(unknown, index => ends[index]), cancellationToken);
        for (var place = 0; place < unknown.Length; place++)
        {
            var index = unknown[place];
            var end = ends[index];
            if (found[place] is { Job: not null, IsToBeCanceled: false } && end.Outcome == "canceled")
            {
                results[index] = Uncalled;
            }
            else if (found[place].Job is not { } job)
            {
                results[index] = found[place].StatusOf(end.Outcome!);
            }
            else if (meant.TryAdd((job.Id, job.ClaimNo), end.Outcome!))
            {
                held.Add((index, new Ending(job, end.ToOutcome())));
            }
            else
            {
                // of two in one request the first counts
                var isSame = meant[(job.Id, job.ClaimNo)] == end.Outcome;
                results[index] = isSame ? EndStatus.Duplicate : EndStatus.LeaseLost;
            }
        }

        if (held.Count > 0)
        {
            // from here on it is done whether or not the worker still listens
            await StoreLogsAsync(connection, [.. held.Select(one => (ends[one.Index].Logs, one.Ending.Job))]);
            var stored = await store.WriteAsync(connection, [.. held.Select(one => one.Ending)]);
            held.ForEach(one => handed.Forget(one.Ending.Job));
            var late = held.FindAll(one => !stored.Contains((one.Ending.Job.Id, one.Ending.Job.ClaimNo)));
            var lost = await FindAsync(connection, [.. late.Select(one => ends[one.Index])], CancellationToken.None);
            for (var place = 0; place < late.Count; place++)
            {
                var index = late[place].Index;
                results[index] = lost[place].StatusOf(ends[index].Outcome!);
            }
        }

        return results;

        bool IsSuccessOfOurs(int index)
        {
            var end = ends[index];
            var job = handed.Find(caller.ProjectId, end.Id!.Value, Lease.Parse(end.Lease));
            var isOurs =
                end.Outcome == "succeeded"
                && job is not null
                && !twice.Contains(end.Id)
                && caller.Reaches(new Traced(job.Queue));
            if (isOurs)
            {
                held.Add((index, new Ending(job!, end.ToOutcome())));
            }

            return isOurs;
        }
    }

    /// <summary>One of them, where what is wrong is the answer's status.</summary>
    public async Task<Result<EndView>> StoreOneAsync(EndDocument end, CancellationToken cancellationToken)
    {
        var result = (await StoreAsync([end], cancellationToken))[0];
        return result.Problem is { } problem
            ? problem
            : result.Unwrap() switch
            {
                EndStatus.Accepted => new EndView(end.Id, "accepted", null),
                EndStatus.Duplicate => new EndView(end.Id, "duplicate", null),
                EndStatus.Unknown => JobProblems.NoJob,
                _ => JobProblems.LeaseLost.Because(
                    "Somebody else has the job by now; what was said counts for nothing."
                ),
            };
    }

    // before the ends: a job that is over has all of its lines
    private async Task StoreLogsAsync(NpgsqlConnection connection, IEnumerable<(EndLog? Logs, ClaimedJob Job)> told)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var lines = told.Where(one => one.Logs is not null).Select(one => one.Logs!.ToLines(one.Job, now)).ToArray();
        if (lines.Length > 0)
        {
            await JobLogStore.AppendAsync(connection, lines, CancellationToken.None);
        }
    }

    private Result<EndStatus> Check(EndDocument end) =>
        ValidationProblem.Of(rules.Validate(end)) is { } problem ? problem : EndStatus.Accepted;

    private async Task<Found[]> FindAsync(
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
        var found = new Found[ends.Length];
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

    private Found Read(NpgsqlDataReader reader, Lease lease)
    {
        var isOurs = reader.GetInt64(4) == lease.ClaimNo && !reader.IsDBNull(5) && reader.GetGuid(5) == lease.ClaimKey;
        var state = reader.GetInt16(6);
        return new Found(
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
        Found[] found,
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
        Found[] found,
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
            found[place] = new Found(
                null,
                IsThere: true,
                isOurs,
                IsToBeCanceled: false,
                EndedAs: reader.IsDBNull(3) ? null : reader.GetString(3)
            );
        }
    }

    /// <param name="Job">Held by this lease.</param>
    /// <param name="IsOurs">The lease was the last one of the job.</param>
    /// <param name="IsToBeCanceled">Somebody asked for that.</param>
    /// <param name="EndedAs">How that lease ended, in the word a worker would have told.</param>
    private readonly record struct Found(
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
            JOIN job_attempts a ON a.project_id = @ProjectId AND a.job_id = e.id AND a.claim_no = e.claim_no
                AND a.at >= id_time(e.id) - interval '1 minute'
            """;

        public const string FindEnded = """
            SELECT e.position, h.claim_no, h.claim_key,
                CASE
                    WHEN h.outcome = 0 THEN 'succeeded'
                    WHEN h.outcome = 1 AND h.reason IS NULL THEN 'failed'
                    WHEN h.outcome = 2 THEN 'canceled'
                END AS ended_as
            FROM unnest(@Ids::uuid[]) WITH ORDINALITY AS e(id, position)
            JOIN job_history h ON h.project_id = @ProjectId AND h.id = e.id AND h.finished_at >= id_time(e.id) - interval '1 minute'
            JOIN queues q ON q.project_id = h.project_id AND q.queue_id = h.queue_id
            WHERE @ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues)
            """;
    }
}
