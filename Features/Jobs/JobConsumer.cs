using System.Text.Json;
using Bellhop.Infrastructure.Http;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>A job in the hands of this process, until its lease ends.</summary>
/// <param name="ClaimNo">The fence: whatever is written for the job is guarded by it.</param>
/// <param name="Args">A JSON object as text.</param>
/// <param name="Lost">How often it was in the hands of a process that went silent.</param>
public sealed record ClaimedJob(
    Guid ProjectId,
    Guid Id,
    long QueueId,
    string Queue,
    string Kind,
    long ClaimNo,
    short Attempt,
    short MaxAttempts,
    short Lost,
    string Args,
    string? TraceParent
)
{
    public string? Lane { get; init; }

    /// <summary>JSON text: where an earlier attempt said the next one goes on.</summary>
    public string? Checkpoint { get; init; }

    public short Snoozes { get; init; }
}

/// <summary>How an execution ended.</summary>
public abstract record JobOutcome
{
    /// <param name="Result">JSON text, at most 256 KiB.</param>
    public sealed record Succeeded(string? Result) : JobOutcome;

    /// <param name="Code">From a closed set of the kind.</param>
    /// <param name="Retryable">False: the job is failed at once.</param>
    /// <param name="Detail">JSON text, for who looks into it.</param>
    public sealed record Failed(
        string Code,
        string Message,
        bool Retryable = true,
        TimeSpan? RetryAfter = null,
        string? Detail = null
    ) : JobOutcome;

    /// <summary>Back to its queue with the attempt given back, after a while.</summary>
    /// <param name="IsUnknown">Whoever had it executes no jobs of its kind; when nobody has for an hour, it is failed (<c>no_handler</c>).</param>
    public sealed record Released(TimeSpan After, bool IsUnknown = false) : JobOutcome
    {
        /// <summary>False: it was held for its handler, and never given to it.</summary>
        public bool HasBegun { get; init; } = !IsUnknown;
    }

    /// <summary>Later again, with the attempt given back: what it needs is not there yet.</summary>
    public sealed record Snoozed(TimeSpan After) : JobOutcome;

    /// <summary>It stopped since somebody wanted the job canceled.</summary>
    public sealed record Canceled : JobOutcome
    {
        public static readonly Canceled Instance = new();
    }

    /// <summary>It was to start before it was claimed, or not at all.</summary>
    public sealed record Expired : JobOutcome
    {
        public static readonly Expired Instance = new();
    }

    /// <summary>The handler has ended the job itself, in a transaction of its own (<see cref="JobQueue.Finish"/>).</summary>
    public sealed record Settled : JobOutcome
    {
        public static readonly Settled Instance = new();
    }
}

/// <summary>What executes jobs of one kind in this process. The nested <c>Consumer</c> of a slice derives from it.</summary>
public abstract class JobConsumer
{
    public abstract string Kind { get; }

    /// <summary>Used by the service itself; users may not enqueue it.</summary>
    public virtual bool IsInternal => false;

    /// <summary>
    /// Its args may name any configuration, such as a connection: closed to callers who are narrowed to some of that.
    /// </summary>
    public virtual bool NamesConfiguration => false;

    /// <summary>Carries other work (a run, an endpoint's deliveries): after a loss it is ready again at once.</summary>
    public virtual bool IsCarrier => false;

    /// <summary>Why such jobs are executed nowhere, in a sentence: nobody may enqueue them then. Null: they are.</summary>
    public virtual string? Off => null;

    /// <summary>Sends the slice's request through MediatR. Throwing is a failed attempt, or a released one in an outage.</summary>
    public abstract Task<JobOutcome> RunAsync(IMediator mediator, ClaimedJob job, CancellationToken cancellationToken);

    /// <summary>What else becomes true in the transaction that fails the job for good, such as a run that is held.</summary>
    public virtual Task GaveUpAsync(
        NpgsqlConnection connection,
        ClaimedJob job,
        string errorJson,
        CancellationToken cancellationToken
    ) => Task.CompletedTask;
}

/// <summary>The plain form: args are the request, its report is the result, its problem is the failure.</summary>
public abstract class JobConsumer<TRequest, TReport> : JobConsumer
    where TRequest : IRequest<Result<TReport>>
{
    public override async Task<JobOutcome> RunAsync(
        IMediator mediator,
        ClaimedJob job,
        CancellationToken cancellationToken
    )
    {
        TRequest request;
        try
        {
            request = Read(job);
        }
        catch (JsonException exception)
        {
            return new JobOutcome.Failed("invalid_args", exception.Message, Retryable: false);
        }

        var result = await mediator.Send(request, cancellationToken);
        return result.Problem is { } problem
            ? new JobOutcome.Failed(problem.Kind.Code, problem.Detail, Retryable: problem.Kind.Status >= 500)
            : ToOutcome(result.Unwrap());
    }

    protected virtual TRequest Read(ClaimedJob job) =>
        JsonSerializer.Deserialize<TRequest>(job.Args, JsonRules.Options)!;

    protected virtual JobOutcome ToOutcome(TReport report) =>
        new JobOutcome.Succeeded(JsonSerializer.Serialize(report, JsonRules.Options));
}
