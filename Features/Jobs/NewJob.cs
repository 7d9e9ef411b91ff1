namespace Bellhop.Features.Jobs;

/// <summary>A job about to be enqueued.</summary>
public sealed record NewJob
{
    public required Guid ProjectId { get; init; }

    public required Guid Id { get; init; }

    /// <summary>The queue's name.</summary>
    public required string Queue { get; init; }

    public required string Kind { get; init; }

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
}

/// <summary>What comes after a job in the same project: a job of this kind on this queue.</summary>
/// <param name="Args">A JSON object as text.</param>
public sealed record Continuation(string Queue, string Kind, string Args);
