namespace Bellhop.Features.Jobs;

/// <summary>A job about to be enqueued.</summary>
public sealed record NewJob
{
    public required Guid ProjectId { get; init; }

    public required Guid Id { get; init; }

    /// <summary>The queue's name.</summary>
    public required string Queue { get; init; }

    public required string Kind { get; init; }

    /// <summary>Only for a queue of workers: the service does not execute the kind.</summary>
    public bool IsForWorkers { get; init; }

    /// <summary>A JSON object as text, at most 256 KiB.</summary>
    public required string Args { get; init; }

    /// <summary>1 (first) to 4.</summary>
    public short Priority { get; init; } = 3;

    /// <summary>Not before then; null: now, by the database's clock.</summary>
    public DateTime? RunAt { get; init; }

    /// <summary>Null: as the queue says.</summary>
    public short? MaxAttempts { get; init; }

    /// <summary>What the job serves alone: while one with this kind and value is unfinished, another is not enqueued.</summary>
    public Guid? OneOf { get; init; }

    /// <summary>A <see cref="RetryPolicy"/> as JSON text; null: as the queue says.</summary>
    public string? Retry { get; init; }

    /// <summary>Enqueued by the statement that ends this job, however it ends.</summary>
    public Continuation? Continuation { get; init; }

    public string? TraceParent { get; init; }

    /// <summary>Jobs of one lane run as many at once as their queue says, or one after the other; null: it has none.</summary>
    public string? Lane { get; init; }

    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Not begun by then, it is expired.</summary>
    public DateTime? StartBefore { get; init; }

    /// <summary>A job with a key is there once.</summary>
    public UniqueKey? Unique { get; init; }

    /// <summary>What holds it back beyond its time and its lane.</summary>
    public HeldBack HeldBack { get; init; }

    /// <summary>The ends of other jobs it waits for; null: it may wait for none, also later.</summary>
    public ParentEnds? Needs { get; init; }

    /// <summary>When one of them ends otherwise it goes on waiting, since that one may be retried; else it is canceled.</summary>
    public bool IsPatient { get; init; }
}

/// <summary>As numbered in <c>jobs.wait_reason</c>.</summary>
public enum HeldBack : short
{
    Nothing = 0,
    OtherJobs = 2,
    Operator = 3,
}

/// <summary>As numbered in <c>jobs.needs</c>.</summary>
public enum ParentEnds : short
{
    Succeeded = 0,
    Any = 1,
    NotSucceeded = 2,
}

/// <summary>What became of a job that was to be enqueued.</summary>
/// <param name="State">As numbered in <c>jobs.state</c>.</param>
public sealed record StoredJob(Guid Id, short State, long QueueId);

/// <summary>What comes after a job in the same project: a job of this kind on this queue.</summary>
/// <param name="Args">A JSON object as text.</param>
public sealed record Continuation(string Queue, string Kind, string Args);
