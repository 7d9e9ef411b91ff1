using System.Threading.Channels;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Stores how executions ended: what has arrived, at most 200 in one statement, two statements at a time, no timer.</summary>
/// <remarks>
/// An end whose claim is no longer the job's is dropped: somebody else has it. In an outage ends are kept and tried until the
/// process must stop; a lease that runs out meanwhile changes nothing as long as nobody claimed the job. An end that the database
/// refuses fails its job and none beside it.
/// </remarks>
internal sealed partial class JobFinisher(
    HeldJobs held,
    EndingStore store,
    Databases databases,
    TimeProvider clock,
    ILogger<JobFinisher> logger
) : IHostedService, IDisposable
{
    private const int Flushers = 2;
    private const int MaxBatch = 200;
    private static readonly TimeSpan Backoff = TimeSpan.FromMilliseconds(250);

    // written by executions, read by the flushers; bounded by what the process may hold
    private readonly Channel<Posted> _channel = Channel.CreateUnbounded<Posted>();
    private readonly CancellationTokenSource _giveUp = new();
    private readonly LogPace _pace = new(clock);
    private Task _flushing = Task.CompletedTask;

    /// <summary>Takes an end over. <paramref name="stored"/> is called when it is stored, or known to be nobody's any more.</summary>
    public void Post(HeldJob job, JobOutcome outcome, Action stored)
    {
        if (!_channel.Writer.TryWrite(new Posted(new Ending(job.Job, outcome), job, stored)))
        {
            held.Remove(job); // stopped: the lease runs out and the job is rescued
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
            var batch = new List<Posted>();
            while (batch.Count < MaxBatch && _channel.Reader.TryRead(out var item))
            {
                batch.Add(item);
            }

            if (batch.Count == 0)
            {
                continue;
            }

            var actsOnEnd = batch.Select(item => item.Ending).ToLookup(store.ActsOnEnd);
            await StoreAsync([.. actsOnEnd[false]]);
            foreach (var ending in actsOnEnd[true])
            {
                await StoreAsync([ending]);
            }

            foreach (var (_, job, stored) in batch)
            {
                held.Remove(job);
                stored();
            }
        }
    }

    private async Task StoreAsync(IReadOnlyList<Ending> endings)
    {
        while (endings.Count > 0 && !_giveUp.IsCancellationRequested)
        {
            try
            {
                await using var connection = await databases.Engine.OpenConnectionAsync();
                await store.WriteAsync(connection, endings);
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

    [LoggerMessage(
        LogLevel.Warning,
        "The ends of {Count} jobs could not be stored ({Reason}); they are kept and tried again."
    )]
    private static partial void NotStored(ILogger logger, int count, string reason);

    [LoggerMessage(LogLevel.Error, "The database refused the end of job {JobId} ({Kind}).")]
    private static partial void EndRefused(ILogger logger, Exception exception, Guid jobId, string kind);

    private readonly record struct Posted(Ending Ending, HeldJob Job, Action Stored);
}
