using Bellhop.Features.Jobs.Logs;
using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using Npgsql;

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
    ToldLeases leases,
    EndRules rules,
    Caller caller,
    TimeProvider clock
)
{
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
        var found = await leases.FindAsync(
            connection,
            Array.ConvertAll(unknown, index => ends[index]),
            cancellationToken
        );
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
            var lost = await leases.FindAsync(
                connection,
                [.. late.Select(one => ends[one.Index])],
                CancellationToken.None
            );
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
}
