using System.Text.Json;
using Bellhop.Features.Jobs.Queues;
using Bellhop.Infrastructure.Http;
using Npgsql;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Stores how executions ended, whoever executed: over, or back to the queue for another attempt.</summary>
/// <remarks>
/// What fails is tried again as its policy says while it has attempts left. What is released or snoozed has its attempt back; after a
/// thousand snoozes it is failed. What was to be canceled is never tried again.
/// </remarks>
internal sealed partial class EndingStore(
    JobKinds kinds,
    QueueSignals signals,
    Admission admission,
    JobWatch watch,
    QueueMinutes minutes,
    ILogger<EndingStore> logger
)
{
    private const int MaxSnoozes = 1_000;
    public static readonly TimeSpan MaxDelay = TimeSpan.FromHours(24);

    /// <summary>When a job is tried again of whose kind nobody knew anything.</summary>
    public static readonly TimeSpan UnknownKindDelay = TimeSpan.FromSeconds(60);

    private static readonly JobOutcome.Failed NoHandler = new(
        "no_handler",
        "For an hour nobody knew how to execute jobs of its kind.",
        Retryable: false
    );

    private static readonly JobOutcome.Failed TooManySnoozes = new(
        "too_many_snoozes",
        "It was snoozed a thousand times.",
        Retryable: false
    );

    /// <summary>Stores them, each guarded by its claim, and tells whoever waits for that; answers those whose claim was still theirs.</summary>
    /// <remarks>Where one <see cref="ActsOnEnd"/>, it is alone.</remarks>
    public async Task<IReadOnlySet<(Guid Id, long ClaimNo)>> WriteAsync(
        NpgsqlConnection connection,
        IReadOnlyList<Ending> endings
    )
    {
        endings = [.. endings.Select(Bound).OrderBy(ending => ending.Job.ProjectId).ThenBy(ending => ending.Job.Id)];
        if (ActsOnEnd(endings[0]))
        {
            return await GiveUpAsync(connection, endings[0]);
        }

        if (endings.Any(IsUnknown))
        {
            endings = await GiveUpUnknownAsync(connection, endings);
        }

        var byFate = endings.ToLookup(FateOf);
        var back = byFate[Fate.Released]
            .Select(ending => (ending, Bound(((JobOutcome.Released)ending.Outcome).After)))
            .Concat(byFate[Fate.Snoozed].Select(ending => (ending, Bound(((JobOutcome.Snoozed)ending.Outcome).After))))
            .ToList();
        if (byFate[Fate.Retried].ToArray() is { Length: > 0 } retried)
        {
            back.AddRange(await ScheduleAsync(connection, retried));
        }

        return await StoreAsync(
            connection,
            [.. byFate[Fate.Succeeded], .. byFate[Fate.Failed], .. byFate[Fate.Canceled], .. byFate[Fate.Expired]],
            back
        );
    }

    /// <summary>Whether something else becomes true in the transaction that stores it.</summary>
    public bool ActsOnEnd(Ending ending) =>
        FateOf(ending) == Fate.Failed && kinds.FindActingOnGivingUp(ending.Job.Kind) is not null;

    private static Fate FateOf(Ending ending) =>
        ending.Outcome switch
        {
            JobOutcome.Succeeded => Fate.Succeeded,
            JobOutcome.Released => Fate.Released,
            JobOutcome.Snoozed => Fate.Snoozed,
            JobOutcome.Canceled => Fate.Canceled,
            JobOutcome.Expired => Fate.Expired,
            JobOutcome.Failed { Retryable: true } when ending.Job.Attempt < ending.Job.MaxAttempts => Fate.Retried,
            _ => Fate.Failed,
        };

    private static bool IsUnknown(Ending ending) => ending.Outcome is JobOutcome.Released { IsUnknown: true };

    private static async Task<IReadOnlyList<Ending>> GiveUpUnknownAsync(
        NpgsqlConnection connection,
        IReadOnlyList<Ending> endings
    )
    {
        var unknown = endings.Where(IsUnknown).ToArray();
        var over = new HashSet<Ending>();
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { JobEndings.FindUnknown(unknown) } };
        await using var reader = await batch.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            over.Add(unknown[reader.GetInt64(0) - 1]);
        }

        return [.. endings.Select(ending => over.Contains(ending) ? ending with { Outcome = NoHandler } : ending)];
    }

    private static async Task<IEnumerable<(Ending, TimeSpan)>> ScheduleAsync(
        NpgsqlConnection connection,
        Ending[] retried
    )
    {
        var policies = Enumerable.Repeat(RetryPolicy.Default, retried.Length).ToArray();
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { JobEndings.ReadPolicies(retried) } };
        await using var reader = await batch.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            policies[reader.GetInt64(0) - 1] =
                JsonSerializer.Deserialize<RetryPolicy>(reader.GetString(1), JsonRules.Options) ?? RetryPolicy.Default;
        }

        return retried.Select(
            (ending, index) =>
            {
                var asked = ((JobOutcome.Failed)ending.Outcome).RetryAfter;
                return (
                    ending,
                    Bound(asked ?? policies[index].DelayAfter(ending.Job.Attempt, Random.Shared.NextDouble()))
                );
            }
        );
    }

    private async Task<IReadOnlySet<(Guid, long)>> StoreAsync(
        NpgsqlConnection connection,
        List<Ending> over,
        List<(Ending Ending, TimeSpan Delay)> back
    )
    {
        var stored = await ExecuteAsync(connection, over, back);
        Tell([.. over, .. back.Select(item => item.Ending)], stored);
        return stored.Keys.ToHashSet();
    }

    /// <summary>Fails a job for good together with what its consumer has to say about that.</summary>
    private async Task<IReadOnlySet<(Guid, long)>> GiveUpAsync(NpgsqlConnection connection, Ending ending)
    {
        var consumer = kinds.FindActingOnGivingUp(ending.Job.Kind)!;
        await using var transaction = await connection.BeginTransactionAsync();
        var stored = await ExecuteAsync(connection, [ending], []);
        if (stored.Count > 0)
        {
            var error = JobEndings.Error(ending.Outcome)!;
            await consumer.GaveUpAsync(connection, ending.Job, error, CancellationToken.None);
            await transaction.CommitAsync();
        }

        Tell([ending], stored);
        return stored.Keys.ToHashSet();
    }

    /// <returns>The claims whose end is stored.</returns>
    private async Task<Dictionary<(Guid Id, long ClaimNo), Stored>> ExecuteAsync(
        NpgsqlConnection connection,
        IReadOnlyList<Ending> over,
        IReadOnlyList<(Ending Ending, TimeSpan Delay)> back
    )
    {
        var stored = new Dictionary<(Guid Id, long ClaimNo), Stored>();
        long missed;
        do
        {
            await using var batch = new NpgsqlBatch(connection);
            if (over.Where(IsLeft).ToArray() is { Length: > 0 } ended)
            {
                batch.BatchCommands.Add(JobEndings.Finish(ended));
            }

            if (back.Where(item => IsLeft(item.Ending)).ToArray() is { Length: > 0 } returned)
            {
                batch.BatchCommands.Add(JobEndings.GiveBack(returned));
                // what is to be canceled was not given back, and ends here; of the others no lease is left to end
                batch.BatchCommands.Add(JobEndings.Finish([.. returned.Select(item => item.Ending)]));
            }

            // rows that somebody wrote at the same moment were found and not reached: the next try sees them as they are now
            missed = batch.BatchCommands.Count == 0 ? 0 : await ReadAsync(batch, stored);
        } while (missed > 0);
        return stored;

        bool IsLeft(Ending ending) => !stored.ContainsKey((ending.Job.Id, ending.Job.ClaimNo));
    }

    /// <returns>How many were found that are not stored.</returns>
    private async Task<long> ReadAsync(NpgsqlBatch batch, Dictionary<(Guid Id, long ClaimNo), Stored> stored)
    {
        var missed = 0L;
        var hasMore = false;
        await using (var reader = await batch.ExecuteReaderAsync())
        {
            do
            {
                while (await reader.ReadAsync())
                {
                    if (reader.IsDBNull(0))
                    {
                        missed += reader.GetInt64(1);
                        continue;
                    }

                    missed--;
                    hasMore |= reader.GetBoolean(2);
                    stored[(reader.GetGuid(0), reader.GetInt64(1))] = new Stored(
                        reader.GetBoolean(3),
                        reader.GetBoolean(4)
                    );
                }
            } while (await reader.NextResultAsync());
        }

        if (hasMore)
        {
            signals.Raise();
        }

        return missed;
    }

    private void Tell(IEnumerable<Ending> endings, Dictionary<(Guid, long), Stored> stored)
    {
        foreach (var ending in endings)
        {
            var isStored = stored.TryGetValue((ending.Job.Id, ending.Job.ClaimNo), out var end);
            var fate =
                !isStored ? Fate.Lost
                : end.IsCanceled ? Fate.Canceled
                : FateOf(ending);
            JobMetrics.CountFinished(ending.Job, Name(fate));
            minutes.CountEnded(ending.Job, Name(fate));
            if (!isStored)
            {
                EndDropped(logger, ending.Job.Id, ending.Job.Kind);
                continue;
            }

            admission.Left(ending.Job.ProjectId, ending.Job.Id, ending.Job.QueueId, ending.Job.Lane, end.HasChildren);
            watch.Touch(ending.Job.ProjectId, ending.Job.Id);
        }
    }

    private static string Name(Fate fate) =>
        fate switch
        {
            Fate.Succeeded => "succeeded",
            Fate.Failed => "failed",
            Fate.Retried => "retried",
            Fate.Released => "released",
            Fate.Snoozed => "snoozed",
            Fate.Canceled => "canceled",
            Fate.Expired => "expired",
            _ => "lost",
        };

    private static Ending Bound(Ending ending) =>
        ending is { Outcome: JobOutcome.Snoozed, Job.Snoozes: >= MaxSnoozes }
            ? ending with
            {
                Outcome = TooManySnoozes,
            }
            : ending;

    private static TimeSpan Bound(TimeSpan delay) =>
        delay < TimeSpan.Zero ? TimeSpan.Zero
        : delay > MaxDelay ? MaxDelay
        : delay;

    [LoggerMessage(LogLevel.Debug, "The end of job {JobId} ({Kind}) came after its lease was lost and is dropped.")]
    private static partial void EndDropped(ILogger logger, Guid jobId, string kind);

    /// <param name="IsCanceled">It came to be a cancel, whatever its handler said.</param>
    /// <param name="HasChildren">Others waited for it.</param>
    private readonly record struct Stored(bool IsCanceled, bool HasChildren);

    private enum Fate
    {
        Succeeded,
        Failed,
        Retried,
        Released,
        Snoozed,
        Canceled,
        Expired,
        Lost,
    }
}
