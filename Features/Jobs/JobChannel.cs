using System.Threading.Channels;
using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Stores jobs that callers enqueue one at a time, those of many callers in one commit: what has arrived, at most 200, no timer.</summary>
/// <remarks>
/// Bounded at 10,000 waiting callers, beyond that 503. A job that the database refuses is tried alone, so it fails nobody else's. At
/// shutdown what was taken in is stored before the process ends.
/// </remarks>
internal sealed class JobChannel(NpgsqlDataSource database, JobStarter? starter = null) : IHostedService
{
    private const int Capacity = 10_000;
    private const int Flushers = 2;
    private const int MaxJobs = 200;
    private const int MaxCharacters = 4 * 1024 * 1024;

    private readonly Channel<Waiting> _channel = Channel.CreateBounded<Waiting>(
        new BoundedChannelOptions(Capacity) { FullMode = BoundedChannelFullMode.Wait }
    );

    private Task? _flushing;
    private object? _startLock;

    /// <summary>Stores the job and answers after the commit; null: there is no such queue, or it is not for it. A caller that goes away does not take it back.</summary>
    public async Task<Result<StoredJob?>> StoreAsync(NewJob job, CancellationToken cancellationToken)
    {
        _ = Flushing();
        var waiting = new Waiting(job);
        return _channel.Writer.TryWrite(waiting)
            ? Result.Of(await AnswerAsync(waiting, cancellationToken))
            : Problems.Busy.Because("Ten thousand jobs wait to be stored.") with
            {
                RetryAfterSeconds = 1,
            };
    }

    private static async Task<StoredJob?> AnswerAsync(Waiting waiting, CancellationToken cancellationToken)
    {
        try
        {
            return await waiting.Answer.Task.WaitPatientlyAsync(cancellationToken);
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            waiting.GiveUp(); // whoever was told of an outage comes again, and would have the job twice
            throw;
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Takes no more in, and stores what was.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _channel.Writer.TryComplete();
        await Flushing().WaitAsync(cancellationToken);
    }

    // started by the first job, so that a command line that enqueues one needs no host
    private Task Flushing() => LazyInitializer.EnsureInitialized(ref _flushing, ref _startLock, StartFlushers);

    private Task StartFlushers() =>
        Task.WhenAll(Enumerable.Range(0, Flushers).Select(_ => Task.Run(FlushAsync, CancellationToken.None)));

    private async Task FlushAsync()
    {
        while (await _channel.Reader.WaitToReadAsync())
        {
            var taken = new List<Waiting>();
            var characters = 0;
            while (taken.Count < MaxJobs && characters < MaxCharacters && _channel.Reader.TryRead(out var waiting))
            {
                if (waiting.Take())
                {
                    taken.Add(waiting);
                    characters += waiting.Job.Args.Length;
                }
            }

            if (taken.Count > 0)
            {
                await StoreAsync(taken);
            }
        }
    }

    private async Task StoreAsync(List<Waiting> taken)
    {
        try
        {
            var jobs = taken.ConvertAll(waiting => waiting.Job);
            var stored = (await WriteAsync(jobs)).ToDictionary(job => job.Id);
            taken.ForEach(waiting => waiting.Answer.TrySetResult(stored.GetValueOrDefault(waiting.Job.Id)));
        }
        catch (PostgresException exception) when (taken.Count > 1 && !ExpectedErrors.IsOutage(exception))
        {
            foreach (var waiting in taken)
            {
                await StoreAsync([waiting]);
            }
        }
        catch (Exception exception)
        {
            taken.ForEach(waiting => waiting.Answer.TrySetException(exception));
        }
    }

    private Task<IReadOnlyList<StoredJob>> WriteAsync(List<NewJob> jobs) =>
        starter?.Reserve(jobs) is { } slots
            ? starter.StoreAsync(jobs, slots)
            : Outages.RepeatInContentionAsync(async () =>
            {
                await using var connection = await database.OpenConnectionAsync();
                return await JobQueue.EnqueueAsync(connection, jobs, CancellationToken.None);
            });

    /// <summary>One caller's job and the promise of an answer, which is set once by the flusher that took it.</summary>
    private sealed record Waiting(NewJob Job)
    {
        private int _isOut;

        public TaskCompletionSource<StoredJob?> Answer { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>False: its caller has given up.</summary>
        public bool Take() => Interlocked.Exchange(ref _isOut, 1) == 0;

        /// <summary>Is not stored any more, unless it was taken.</summary>
        public void GiveUp() => Interlocked.Exchange(ref _isOut, 1);
    }
}
