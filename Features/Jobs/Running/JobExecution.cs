using System.Diagnostics;
using System.Globalization;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Features.Jobs.Queues;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs.Running;

/// <summary>Executes one claimed job: a scope of its own, the service itself as caller, in the trace that enqueued it.</summary>
internal sealed partial class JobExecution(
    JobKinds kinds,
    QueueMinutes minutes,
    IServiceScopeFactory scopes,
    TimeProvider clock,
    ILogger<JobExecution> logger
)
{
    private const int MaxResultLength = 256 * 1024;
    private static readonly TimeSpan OutageDelay = TimeSpan.FromSeconds(1);
    private static readonly ActivitySource Activities = new("Bellhop.Jobs");

    /// <summary>Never throws: whatever happens is an outcome.</summary>
    public async Task<JobOutcome> RunAsync(HeldJob held)
    {
        var job = held.Job;
        if (held.IsCanceled)
        {
            return JobOutcome.Canceled.Instance; // claimed ahead, and never begun
        }

        if (kinds.Find(job.Kind) is not { } consumer)
        {
            // enqueued by a newer version that will be here too, or still is beside this one
            UnknownKind(logger, job.Id, job.Kind);
            return new JobOutcome.Released(EndingStore.UnknownKindDelay, IsUnknown: true);
        }

        if (consumer.IsInternal && !BuiltInQueues.Holds(job.Queue))
        {
            // put there by somebody while the queue was the workers'
            return new JobOutcome.Failed(
                JobProblems.UnknownKind.Code,
                $"The kind {job.Kind} is for the service's own use.",
                Retryable: false
            );
        }

        using var activity = Start(job);
        var started = clock.GetTimestamp();
        try
        {
            return Check(await SendAsync(consumer, held));
        }
        catch (Exception exception)
        {
            activity?.SetStatus(ActivityStatusCode.Error);
            return Judge(held, exception);
        }
        finally
        {
            JobMetrics.CountRun(job, clock.GetElapsedTime(started));
            minutes.CountRun(job, clock.GetElapsedTime(started));
        }
    }

    private async Task<JobOutcome> SendAsync(JobConsumer consumer, HeldJob held)
    {
        await using var scope = scopes.CreateAsyncScope();
        var job = held.Job;
        scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(job.ProjectId, $"job:{job.Kind}"));
        var outcome = await RunAsync(scope.ServiceProvider, consumer, held);
        if (outcome is JobOutcome.Settled)
        {
            JobMetrics.CountFinished(job, "succeeded"); // the finisher, which counts the others, never sees it
            minutes.CountEnded(job, "succeeded");
        }

        return outcome;
    }

    private static async Task<JobOutcome> RunAsync(IServiceProvider services, JobConsumer consumer, HeldJob held)
    {
        var log = services.GetRequiredService<JobLog>();
        log.Begin(held.Job);
        try
        {
            return await consumer.RunAsync(services.GetRequiredService<IMediator>(), held.Job, held.Token);
        }
        finally
        {
            await log.EndAsync(); // the lines before the end
        }
    }

    private JobOutcome Judge(HeldJob held, Exception exception)
    {
        var job = held.Job;
        if (held.IsLost || exception is PostgresException { SqlState: JobQueue.LeaseLost })
        {
            Dropped(logger, job.Id, job.Kind);
            return JobOutcome.Settled.Instance;
        }

        if (held.IsCanceled)
        {
            return JobOutcome.Canceled.Instance;
        }

        if (held.IsOverdue)
        {
            return new JobOutcome.Failed(
                "deadline",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"It took longer than the {held.MaxRun.TotalSeconds} s its queue allows."
                )
            );
        }

        if (held.Token.IsCancellationRequested)
        {
            return new JobOutcome.Released(TimeSpan.Zero); // the process stops
        }

        if (ExpectedErrors.IsOutage(exception))
        {
            Outage(logger, job.Id, job.Kind, exception.Message);
            return new JobOutcome.Released(OutageDelay);
        }

        Failed(logger, exception, job.Id, job.Kind, job.Attempt);
        return new JobOutcome.Failed(
            "exception",
            $"The handler threw {exception.GetType().Name}; the log has the rest."
        );
    }

    private static JobOutcome Check(JobOutcome outcome) =>
        outcome is JobOutcome.Succeeded { Result.Length: > MaxResultLength }
            ? new JobOutcome.Failed("result_too_large", "A result is 256 KiB at most.", Retryable: false)
            : outcome;

    // without a listener there is no activity of the source, yet what the job sends must stay in the trace
    private static Activity? Start(ClaimedJob job)
    {
        var name = $"job {job.Kind}";
        if (Activities.StartActivity(name, ActivityKind.Consumer, job.TraceParent) is { } activity)
        {
            return activity.SetTag("bellhop.job.id", job.Id).SetTag("bellhop.queue", job.Queue);
        }

        return job.TraceParent is null ? null : new Activity(name).SetParentId(job.TraceParent).Start();
    }

    [LoggerMessage(LogLevel.Warning, "Nothing here executes job {JobId} ({Kind}); back to its queue for a minute.")]
    private static partial void UnknownKind(ILogger logger, Guid jobId, string kind);

    [LoggerMessage(
        LogLevel.Debug,
        "Job {JobId} ({Kind}) is in other hands by now; what its handler did here is dropped."
    )]
    private static partial void Dropped(ILogger logger, Guid jobId, string kind);

    [LoggerMessage(
        LogLevel.Warning,
        "Job {JobId} ({Kind}) met an outage ({Reason}); released, the attempt does not count."
    )]
    private static partial void Outage(ILogger logger, Guid jobId, string kind, string reason);

    [LoggerMessage(LogLevel.Error, "Attempt {Attempt} of job {JobId} ({Kind}) threw.")]
    private static partial void Failed(ILogger logger, Exception exception, Guid jobId, string kind, short attempt);
}
