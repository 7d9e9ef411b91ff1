using Bellhop.Features.Jobs.Queues;
using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Npgsql;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>What a claim of a worker brought.</summary>
/// <param name="Held">How many leases the worker has in all.</param>
/// <param name="IsRepeat">They are what a call with the same key was given before.</param>
internal sealed record WorkerClaim(
    IReadOnlyList<ClaimedRow> Jobs,
    IReadOnlyList<SignalView> Signals,
    long Held,
    bool IsRepeat
)
{
    public static WorkerClaim Nothing { get; } = new([], [], 0, IsRepeat: false);
}

/// <summary>Takes jobs off the queues of remote workers: one statement for all queues without a limit, one for each that has one.</summary>
/// <remarks>
/// As many claims at a time as the database has good of; who would wait longer than a tenth of a second for its turn is told to come
/// again. Heartbeats and ends have their turn always. Claims of one queue go one after the other where they can: side by side they look
/// at the same jobs, and each has what the others left.
/// </remarks>
internal sealed class WorkerClaims : IDisposable
{
    public const int MaxHeld = 1_000;
    private const int AtOnce = 4;
    private const int MaxLooks = 3;
    private static readonly TimeSpan MaxTurn = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MaxQueueTurn = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan MaxOnward = TimeSpan.FromMilliseconds(250);

    private readonly SemaphoreSlim _turns = new(AtOnce);

    // by the first queue that is asked for; two queues that share one cost each other a little time
    private readonly QueueTurn[] _queueTurns = [.. Enumerable.Range(0, 64).Select(_ => new QueueTurn())];
    private readonly Databases _databases;
    private readonly WorkerClaimStatements _statements;
    private readonly EndingStore _endings;
    private readonly HandedJobs _handed;
    private readonly RepeatedClaims _repeated;
    private readonly CanceledLeases _canceled;
    private readonly QueueMinutes _minutes;
    private readonly TimeProvider _clock;
    private readonly IDisposable _subscription;

    // raised with each signal: what is ready now may stand before where the last claim ended
    private long _signals;

    public WorkerClaims(
        Databases databases,
        WorkerClaimStatements statements,
        EndingStore endings,
        HandedJobs handed,
        RepeatedClaims repeated,
        CanceledLeases canceled,
        QueueMinutes minutes,
        QueueSignals signals,
        TimeProvider clock
    )
    {
        (_databases, _statements, _endings, _handed) = (databases, statements, endings, handed);
        (_repeated, _canceled, _minutes, _clock) = (repeated, canceled, minutes, clock);
        _subscription = signals.OnRaised(() => Interlocked.Increment(ref _signals));
    }

    /// <summary>Null: there are too many claims at this moment.</summary>
    public async Task<Result<WorkerClaim>?> TakeAsync(
        Caller caller,
        ClaimDocument asked,
        CancellationToken cancellationToken
    )
    {
        var taking = TakeOfQueueAsync(caller, asked, cancellationToken);
        try
        {
            return await taking.WaitPatientlyAsync(CancellationToken.None);
        }
        catch (NpgsqlException) when (!taking.IsCompleted)
        {
            _ = GiveBackLateAsync(taking, asked.ClaimKey!.Value);
            throw;
        }
    }

    /// <summary>Gives back what was claimed for a call that was answered long before.</summary>
    private async Task GiveBackLateAsync(Task<Result<WorkerClaim>?> taking, Guid claimKey)
    {
        try
        {
            if (await taking is { Problem: null } claimed)
            {
                await GiveBackAsync(claimed.Unwrap(), claimKey);
            }
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            // its leases run out
        }
    }

    private async Task<Result<WorkerClaim>?> TakeOfQueueAsync(
        Caller caller,
        ClaimDocument asked,
        CancellationToken cancellationToken
    )
    {
        var queueTurn = _queueTurns[
            (uint)HashCode.Combine(caller.ProjectId, asked.Queues![0].Name) % (uint)_queueTurns.Length
        ];
        var hasQueueTurn = await queueTurn.Free.WaitAsync(MaxQueueTurn, cancellationToken); // without it, it only costs more
        try
        {
            return await TakeInTurnAsync(caller, asked, hasQueueTurn ? queueTurn : null, cancellationToken);
        }
        finally
        {
            if (hasQueueTurn)
            {
                queueTurn.Free.Release();
            }
        }
    }

    /// <summary>Gives back what was claimed for a worker that has gone before it was told, unless it asked again and was told then.</summary>
    public Task GiveBackAsync(WorkerClaim claim, Guid claimKey) =>
        claim.Jobs.Count == 0
            ? Task.CompletedTask
            : _repeated.InTurnAsync(
                claimKey,
                async () =>
                {
                    var isNobodys = _repeated.Cut(claimKey, claim.IsRepeat);
                    if (isNobodys)
                    {
                        await using var connection = await _databases.Workers.OpenConnectionAsync(
                            CancellationToken.None
                        );
                        await ReleaseAsync(connection, claim.Jobs);
                    }

                    return isNobodys;
                }
            );

    private Task ReleaseAsync(NpgsqlConnection connection, IReadOnlyList<ClaimedRow> jobs) =>
        jobs.Count == 0
            ? Task.CompletedTask
            : _endings.WriteAsync(
                connection,
                [
                    .. jobs.Select(row => new Ending(
                        row.Job,
                        new JobOutcome.Released(TimeSpan.Zero) { HasBegun = false }
                    )),
                ]
            );

    public void Dispose()
    {
        _subscription.Dispose();
        _turns.Dispose();
        Array.ForEach(_queueTurns, turn => turn.Free.Dispose());
    }

    private async Task<Result<WorkerClaim>?> TakeInTurnAsync(
        Caller caller,
        ClaimDocument asked,
        QueueTurn? queueTurn,
        CancellationToken cancellationToken
    )
    {
        if (!await _turns.WaitAsync(MaxTurn, cancellationToken))
        {
            return null;
        }

        try
        {
            await using var connection = await _databases.Workers.OpenConnectionAsync(cancellationToken);
            return await _repeated.InTurnAsync(
                asked.ClaimKey!.Value,
                () => TakeAsync(connection, caller.ProjectId, asked, queueTurn)
            );
        }
        finally
        {
            _turns.Release();
        }
    }

    // it takes no token: the answer of a claim that was given up may be jobs
    private async Task<Result<WorkerClaim>> TakeAsync(
        NpgsqlConnection connection,
        Guid projectId,
        ClaimDocument asked,
        QueueTurn? turn
    )
    {
        var queues = asked.Queues!.DistinctBy(queue => queue.Name, StringComparer.Ordinal).ToArray();
        // as a rule onward from where the last claim ended, and again where others had all that it saw
        var isWhole =
            turn is null
            || turn.Signals != Interlocked.Read(ref _signals)
            || _clock.GetElapsedTime(turn.LookedAt) >= MaxOnward;
        var (looked, answer) = await LookAsync(connection, projectId, asked, queues, isWhole, turn);
        for (var looks = 1; answer.Rows.Count == 0 && (answer.Seen > 0 || !isWhole) && looks < MaxLooks; looks++)
        {
            isWhole = true;
            (looked, answer) = await LookAsync(connection, projectId, asked, queues, isWhole, turn);
        }

        if (LookedQueue.Check(asked.Queues!, looked) is { } problem)
        {
            await ReleaseAsync(connection, answer.Seen > 0 ? answer.Rows : []); // a queue came between the two looks
            return problem;
        }

        var jobs = answer.Rows.ToList();
        // what was claimed before under this key is the whole answer
        var isAgain = jobs.Count > 0 && answer.Seen == 0;
        var limited = looked.Where(one => one.IsLimited && !isAgain).ToArray();
        Random.Shared.Shuffle(limited);
        foreach (var queue in limited)
        {
            var free = (int)Math.Min(asked.Max, MaxHeld - queue.Held) - jobs.Count;
            var max = Math.Min(queues.First(one => one.Name == queue.Name).Max ?? asked.Max, free);
            if (max > 0)
            {
                var mostLost = jobs.Max(row => (int?)row.Job.Lost) is { } taken
                    ? Math.Max(taken, queue.MostLost)
                    : queue.MostLost;
                jobs.AddRange(
                    await _statements.TakeLimitedAsync(
                        connection,
                        projectId,
                        asked,
                        queue.QueueId!.Value,
                        max,
                        mostLost
                    )
                );
            }
        }

        foreach (var late in jobs.Where(row => row.IsLate).ToArray())
        {
            jobs.Remove(late);
            await _endings.WriteAsync(connection, [new Ending(late.Job, JobOutcome.Expired.Instance)]);
        }

        if (isAgain)
        {
            _repeated.Repeat(asked.ClaimKey!.Value);
        }
        else
        {
            jobs.ForEach(row => _minutes.CountStarted(row.Job, row.WaitedSeconds));
        }

        jobs.ForEach(row => _handed.Hand(row.Job, asked.ClaimKey!.Value));

        return new WorkerClaim(
            jobs,
            looked.Any(one => one.HasCanceled)
                ? await _canceled.TellAsync(connection, projectId, asked.Worker!.Id!.Value)
                : [],
            looked.Count == 0 ? 0 : looked[0].Held,
            isAgain
        );
    }

    private async Task<(List<LookedQueue>, ClaimAnswer)> LookAsync(
        NpgsqlConnection connection,
        Guid projectId,
        ClaimDocument asked,
        ClaimedQueue[] queues,
        bool isWhole,
        QueueTurn? turn
    )
    {
        if (isWhole && turn is not null)
        {
            turn.Cursors.StartOver();
            (turn.LookedAt, turn.Signals) = (_clock.GetTimestamp(), Interlocked.Read(ref _signals));
        }

        var looked = await _statements.LookAsync(
            connection,
            projectId,
            asked,
            queues,
            turn?.Cursors ?? new ClaimCursors()
        );
        var (_, answer) = looked;
        foreach (var row in answer.Seen > 0 ? answer.Rows : [])
        {
            turn?.Cursors.Passed(row.Job.QueueId, row.Priority, row.RunAt, row.Seq);
        }

        return looked;
    }
}
