using Bellhop.Features.Jobs.Queues;
using Prometheus;

namespace Bellhop.Features.Jobs;

/// <summary>What the engine counts. Labels are names of queues and kinds this process knows, never ids.</summary>
internal static class JobMetrics
{
    private static readonly double[] Seconds =
    [
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        300,
        900,
        3600,
    ];

    private static readonly Counter Enqueued = Metrics.CreateCounter(
        "bellhop_jobs_enqueued_total",
        "Jobs put on a queue; what continues another job is not counted.",
        "queue",
        "kind"
    );

    private static readonly Counter Finished = Metrics.CreateCounter(
        "bellhop_jobs_finished_total",
        "Executions that ended: succeeded, failed for good, retried, released, canceled, or lost to another claim.",
        "queue",
        "kind",
        "outcome"
    );

    private static readonly Histogram Wait = Metrics.CreateHistogram(
        "bellhop_job_wait_seconds",
        "From the time a job was due until it was claimed.",
        ["queue", "kind"],
        new HistogramConfiguration { Buckets = Seconds }
    );

    private static readonly Histogram Run = Metrics.CreateHistogram(
        "bellhop_job_run_seconds",
        "From the claim until the handler returned.",
        ["queue", "kind"],
        new HistogramConfiguration { Buckets = Seconds }
    );

    public static readonly Counter LeasesExpired = Metrics.CreateCounter(
        "bellhop_leases_expired_total",
        "Leases of running jobs that ended without a word from their process."
    );

    public static readonly Counter Rescues = Metrics.CreateCounter(
        "bellhop_rescues_total",
        "Passes that looked for expired leases."
    );

    public static readonly Gauge Depth = Metrics.CreateGauge(
        "bellhop_queue_depth",
        "Unfinished jobs of all projects; each queue is counted to 10,001.",
        "queue",
        "state"
    );

    public static readonly Gauge OldestReady = Metrics.CreateGauge(
        "bellhop_queue_oldest_ready_age_seconds",
        "How long the oldest job that is due has been due; 0 where none is.",
        "queue"
    );

    public static void CountEnqueued(IEnumerable<NewJob> jobs)
    {
        foreach (var job in jobs)
        {
            var (queue, kind) = Labels(job.Queue, job.Kind);
            Enqueued.WithLabels(queue, kind).Inc();
        }
    }

    /// <summary>Jobs that a statement of their own enqueued.</summary>
    public static void CountEnqueued(string queue, string kind, int count) =>
        Enqueued.WithLabels(queue, kind).Inc(count);

    public static void CountClaimed(ClaimedJob job, double waitedSeconds)
    {
        var (queue, kind) = Labels(job.Queue, job.Kind);
        Wait.WithLabels(queue, kind).Observe(waitedSeconds);
    }

    public static void CountRun(ClaimedJob job, TimeSpan elapsed)
    {
        var (queue, kind) = Labels(job.Queue, job.Kind);
        Run.WithLabels(queue, kind).Observe(elapsed.TotalSeconds);
    }

    public static void CountFinished(ClaimedJob job, string outcome)
    {
        var (queue, kind) = Labels(job.Queue, job.Kind);
        Finished.WithLabels(queue, kind, outcome).Inc();
    }

    /// <summary>Queues are configuration; the kinds on queues that users make are words of whoever enqueues, and count as one.</summary>
    private static (string Queue, string Kind) Labels(string queue, string kind) =>
        BuiltInQueues.Holds(queue) ? (queue, kind) : (queue, "other");
}
