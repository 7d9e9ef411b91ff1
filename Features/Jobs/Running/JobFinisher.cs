using System.Text.Json;
using System.Threading.Channels;
using Bellhop.Features.Jobs.Queues;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Npgsql;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Stores how executions ended: what has arrived, at most 200 in one statement, two statements at a time, no timer.</summary>
/// <remarks>
/// An end whose claim is no longer the job's is dropped: somebody else has it. In an outage ends are kept and tried until the
/// process must stop; a lease that runs out meanwhile changes nothing as long as nobody claimed the job. An end that the database
/// refuses fails its job and none beside it.
/// </remarks>
internal sealed partial class JobFinisher(
    HeldJobs held,
    JobKinds kinds,
    QueueSignals signals,
    JobWatch watch,
    QueueMinutes minutes,
    Databases databases,
    TimeProvider clock,
    ILogger<JobFinisher> logger
) : IHostedService, IDisposable
{
    private const int Flushers = 2;
    private const int MaxBatch = 200;
    private static readonly TimeSpan MaxDelay = TimeSpan.FromHours(24);
    private static readonly TimeSpan Backoff = TimeSpan.FromMilliseconds(250);

    // written by executions, read by the flushers; bounded by what the process may hold
    private readonly Channel<(Ending Ending, Action Stored)> _channel = Channel.CreateUnbounded<(Ending, Action)>();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly LogPace _pace = new(clock);
    private Task _flushing = Task.CompletedTask;

    /// <summary>Takes an end over. <paramref name="stored"/> is called when it is stored, or known to be nobody's any more.</summary>
    public void Post(Ending ending, Action stored)
    {
        if (!_channel.Writer.TryWrite((ending, stored)))
        {
            held.Remove(ending.Held); // stopped: the lease runs out and the job is rescued
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _flushing = Task.WhenAll(
            Enumerable.Range(0, Flushers).Select(_ => Task.Run(FlushAsync, CancellationToken.None))
        );
        return Task.CompletedTask;
    }

    /// <summary>Stores what was taken over, as long as the host waits.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _channel.Writer.TryComplete();
        await using (cancellationToken.Register(_giveUp.Cancel))
        {
            await _flushing;
        }
    }

    public void Dispose() => _giveUp.Dispose();

    private async Task FlushAsync()
    {
        while (await _channel.Reader.WaitToReadAsync())
        {
            var batch = new List<(Ending Ending, Action Stored)>();
            while (batch.Count < MaxBatch && _channel.Reader.TryRead(out var item))
            {
                batch.Add(item);
            }

            if (batch.Count == 0)
            {
                continue;
            }

            var actsOnEnd = batch.Select(item => item.Ending).ToLookup(ActsOnEnd);
            await StoreAsync([.. actsOnEnd[false]]);
            foreach (var ending in actsOnEnd[true])
            {
                await StoreAsync([ending]);
            }

            foreach (var (ending, stored) in batch)
            {
                held.Remove(ending.Held);
                stored();
                watch.Touch(ending.Job.ProjectId, ending.Job.Id);
            }
        }
    }

    private async Task StoreAsync(IReadOnlyList<Ending> endings)
    {
        while (endings.Count > 0 && !_giveUp.IsCancellationRequested)
        {
            try
            {
                await WriteAsync(endings);
                return;
            }
            catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
            {
                if (_pace.IsDue())
                {
                    NotStored(logger, endings.Count, exception.Message);
                }

                await Task.Delay(Backoff, clock);
            }
            catch (Exception exception)
            {
                await StoreRefusedAsync(endings, exception);
                return;
            }
        }
    }

    private async Task StoreRefusedAsync(IReadOnlyList<Ending> endings, Exception refusal)
    {
        if (endings.Count > 1)
        {
            foreach (var ending in endings)
            {
                await StoreAsync([ending]);
            }

            return;
        }

        EndRefused(logger, refusal, endings[0].Job.Id, endings[0].Job.Kind);
        // a result that is not JSON, or a consumer that cannot give up: neither may keep the job running for ever
        if (endings[0].Outcome is JobOutcome.Succeeded)
        {
            await StoreAsync([endings[0] with { Outcome = RefusedResult }]);
        }
        else if (endings[0].Outcome is JobOutcome.Failed)
        {
            await StoreAsync([endings[0] with { Outcome = new JobOutcome.Released(TimeSpan.FromMinutes(1)) }]);
        }
    }

    private static JobOutcome.Failed RefusedResult { get; } =
        new("result_refused", "The database cannot hold the result.", Retryable: false);

    private async Task WriteAsync(IReadOnlyList<Ending> endings)
    {
        await using var connection = await databases.Engine.OpenConnectionAsync();
        if (ActsOnEnd(endings[0]))
        {
            await GiveUpAsync(connection, endings[0]);
            return;
        }

        var byFate = endings.ToLookup(FateOf);
        var back = byFate[Fate.Released]
            .Select(ending => (ending, Bound(((JobOutcome.Released)ending.Outcome).After)))
            .ToList();
        if (byFate[Fate.Retried].ToArray() is { Length: > 0 } retried)
        {
            back.AddRange(await ScheduleAsync(connection, retried));
        }

        await StoreAsync(
            connection,
            [.. byFate[Fate.Succeeded], .. byFate[Fate.Failed], .. byFate[Fate.Canceled]],
            back
        );
    }

    private bool ActsOnEnd(Ending ending) =>
        FateOf(ending) == Fate.Failed && kinds.FindActingOnGivingUp(ending.Job.Kind) is not null;

    private static Fate FateOf(Ending ending) =>
        ending.Outcome switch
        {
            JobOutcome.Succeeded => Fate.Succeeded,
            JobOutcome.Released => Fate.Released,
            JobOutcome.Canceled => Fate.Canceled,
            JobOutcome.Failed { Retryable: true } when ending.Job.Attempt < ending.Job.MaxAttempts => Fate.Retried,
            _ => Fate.Failed,
        };

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

    private async Task StoreAsync(
        NpgsqlConnection connection,
        List<Ending> over,
        List<(Ending Ending, TimeSpan Delay)> back
    )
    {
        await using var batch = new NpgsqlBatch(connection);
        if (over.Count > 0)
        {
            batch.BatchCommands.Add(JobEndings.Finish(over));
        }

        if (back.Count > 0)
        {
            batch.BatchCommands.Add(JobEndings.GiveBack(back));
            // what is to be canceled was not given back, and ends here; of the others no lease is left to end
            batch.BatchCommands.Add(JobEndings.Finish([.. back.Select(item => item.Ending)]));
        }

        if (batch.BatchCommands.Count > 0)
        {
            Count([.. over, .. back.Select(item => item.Ending)], await ReadAsync(batch));
        }
    }

    /// <summary>Fails a job for good together with what its consumer has to say about that.</summary>
    private async Task GiveUpAsync(NpgsqlConnection connection, Ending ending)
    {
        var consumer = kinds.FindActingOnGivingUp(ending.Job.Kind)!;
        await using var transaction = await connection.BeginTransactionAsync();
        Dictionary<(Guid, long), bool> stored;
        await using (var batch = new NpgsqlBatch(connection) { BatchCommands = { JobEndings.Finish([ending]) } })
        {
            stored = await ReadAsync(batch);
        }

        if (stored.Count > 0)
        {
            var error = JobEndings.Error(ending.Outcome)!;
            await consumer.GaveUpAsync(connection, ending.Job, error, CancellationToken.None);
            await transaction.CommitAsync();
        }

        Count([ending], stored);
    }

    /// <summary>The claims whose end is stored, and of each whether it came to be a cancel.</summary>
    private async Task<Dictionary<(Guid Id, long ClaimNo), bool>> ReadAsync(NpgsqlBatch batch)
    {
        var stored = new Dictionary<(Guid, long), bool>();
        var hasMore = false;
        await using (var reader = await batch.ExecuteReaderAsync())
        {
            do
            {
                while (await reader.ReadAsync())
                {
                    stored[(reader.GetGuid(0), reader.GetInt64(1))] = reader.GetBoolean(3);
                    hasMore |= reader.GetBoolean(2);
                }
            } while (await reader.NextResultAsync());
        }

        if (hasMore)
        {
            signals.Raise();
        }

        return stored;
    }

    private void Count(IEnumerable<Ending> endings, Dictionary<(Guid, long), bool> stored)
    {
        foreach (var ending in endings)
        {
            var isStored = stored.TryGetValue((ending.Job.Id, ending.Job.ClaimNo), out var isCanceled);
            var fate =
                !isStored ? Fate.Lost
                : isCanceled ? Fate.Canceled
                : FateOf(ending);
            JobMetrics.CountFinished(ending.Job, Name(fate));
            minutes.CountEnded(ending.Job, Name(fate));
            if (!isStored)
            {
                EndDropped(logger, ending.Job.Id, ending.Job.Kind);
            }
        }
    }

    private static string Name(Fate fate) =>
        fate switch
        {
            Fate.Succeeded => "succeeded",
            Fate.Failed => "failed",
            Fate.Retried => "retried",
            Fate.Released => "released",
            Fate.Canceled => "canceled",
            _ => "lost",
        };

    private static TimeSpan Bound(TimeSpan delay) =>
        delay < TimeSpan.Zero ? TimeSpan.Zero
        : delay > MaxDelay ? MaxDelay
        : delay;

    [LoggerMessage(
        LogLevel.Warning,
        "The ends of {Count} jobs could not be stored ({Reason}); they are kept and tried again."
    )]
    private static partial void NotStored(ILogger logger, int count, string reason);

    [LoggerMessage(LogLevel.Error, "The database refused the end of job {JobId} ({Kind}).")]
    private static partial void EndRefused(ILogger logger, Exception exception, Guid jobId, string kind);

    [LoggerMessage(LogLevel.Debug, "The end of job {JobId} ({Kind}) came after its lease was lost and is dropped.")]
    private static partial void EndDropped(ILogger logger, Guid jobId, string kind);

    private enum Fate
    {
        Succeeded,
        Failed,
        Retried,
        Released,
        Canceled,
        Lost,
    }
}
