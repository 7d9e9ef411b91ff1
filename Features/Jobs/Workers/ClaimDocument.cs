using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>What a worker asks for.</summary>
/// <param name="Worker">Who asks.</param>
/// <param name="ClaimKey">A random UUID, another for each claim. Sent again with the same one, the same jobs are answered: a lost answer costs nothing.</param>
/// <param name="Queues">1 to 20 queues of remote workers, and how many jobs of each at most.</param>
/// <param name="Max">How many in all, 1 to 100: no more than the worker has free slots.</param>
/// <param name="WaitSeconds">How long to wait for the first job, 0 to 30.</param>
public sealed record ClaimDocument(
    WorkerDocument? Worker,
    Guid? ClaimKey,
    [property: MaxLength(ClaimRules.MaxQueues)] IReadOnlyList<ClaimedQueue>? Queues,
    int Max = 1,
    int WaitSeconds = 0
) : IExampled<ClaimDocument>
{
    public static ClaimDocument Example =>
        new(
            new WorkerDocument(Story.Worker, "mailer-1", "1.4.0", "web-2"),
            Story.ClaimKey,
            [new ClaimedQueue("mail", 10)],
            Max: 10
        );
}

/// <param name="Name">The queue's name.</param>
/// <param name="Max">1 to 100; null: as many as in all.</param>
public sealed record ClaimedQueue([property: MaxLength(100)] string? Name, int? Max = null);

/// <summary>What makes a claim sound.</summary>
public sealed class ClaimRules : AbstractValidator<ClaimDocument>
{
    public const int MaxQueues = 20;
    public const int MaxJobs = 100;
    public const int MaxWaitSeconds = 30;

    public ClaimRules()
    {
        RuleFor(claim => claim.Worker).NotNull();
        RuleFor(claim => claim.Worker!).SetValidator(new WorkerRules()).When(claim => claim.Worker is not null);
        RuleFor(claim => claim.ClaimKey).NotNull().NotEqual(Guid.Empty);
        RuleFor(claim => claim.Queues).HasItems(1, MaxQueues);
        RuleForEach(claim => claim.Queues).NotNull();
        RuleForEach(claim => claim.Queues).SetValidator(new ClaimedQueueRules());
        RuleFor(claim => claim.Max).InclusiveBetween(1, MaxJobs);
        RuleFor(claim => claim.WaitSeconds).InclusiveBetween(0, MaxWaitSeconds);
    }
}

/// <summary>What makes a queue of a claim sound.</summary>
public sealed class ClaimedQueueRules : AbstractValidator<ClaimedQueue>
{
    public ClaimedQueueRules()
    {
        RuleFor(queue => queue.Name).NotEmpty().MaximumLength(100);
        RuleFor(queue => queue.Max).InclusiveBetween(1, ClaimRules.MaxJobs);
    }
}

/// <summary>What a worker is given.</summary>
/// <param name="Jobs">In the order in which they are to begin.</param>
/// <param name="Signals">Of jobs it holds: those whose handlers are to stop.</param>
/// <param name="Directive"><c>run</c>; <c>quiet</c>: claim no more; <c>stop</c>: release what still runs as well, and end.</param>
/// <param name="RetryInSeconds">When to ask again; 0: at once.</param>
public sealed record ClaimView(
    [property: MaxLength(ClaimRules.MaxJobs)] IReadOnlyList<WorkView> Jobs,
    [property: MaxLength(1_000)] IReadOnlyList<SignalView> Signals,
    [property: AllowedValues("run", "quiet", "stop")] string Directive,
    [property: Range(0, 60)] int RetryInSeconds
) : IExampled<ClaimView>
{
    public static ClaimView Example =>
        new(
            [
                new WorkView(
                    Story.Job,
                    new Lease(1, Story.ClaimKey).ToString(),
                    30,
                    "send-letter",
                    "mail",
                    Story.Json("""{"order":1042}"""),
                    1,
                    20,
                    null,
                    Story.Job,
                    1,
                    null,
                    0,
                    null
                ),
            ],
            [],
            "run",
            0
        );
}

/// <summary>A job in the hands of a worker, until its lease ends. Its id and its lease come first, where a shell script finds them.</summary>
/// <param name="Lease">Shown with whatever is said about this execution.</param>
/// <param name="LeaseSeconds">How long it runs from this answer on; each heartbeat begins it anew.</param>
/// <param name="DeadlineSeconds">How long the execution may take in all; null: as long as it beats.</param>
/// <param name="IdempotencyKey">The same over all attempts: what the handler does elsewhere under this key is done once.</param>
/// <param name="Fence">Higher with each claim: who keeps the highest it has seen can refuse a worker that was thought dead.</param>
/// <param name="Checkpoint">Where an earlier attempt said the next one goes on.</param>
/// <param name="Lost">How many workers that held it went silent.</param>
public sealed record WorkView(
    Guid Id,
    [property: MaxLength(Lease.Length)] string Lease,
    [property: Range(10, 900)] int LeaseSeconds,
    [property: MaxLength(100)] string Kind,
    [property: MaxLength(100)] string Queue,
    [property: AnyObject] JsonElement Args,
    short Attempt,
    short MaxAttempts,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), Range(1, 604_800)] int? DeadlineSeconds,
    Guid IdempotencyKey,
    long Fence,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? Checkpoint,
    short Lost,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(200)] string? Traceparent
)
{
    internal static WorkView Of(ClaimedRow row, Guid claimKey) =>
        new(
            row.Job.Id,
            new Lease(row.Job.ClaimNo, claimKey).ToString(),
            row.LeaseSeconds,
            row.Job.Kind,
            row.Job.Queue,
            JsonElement.Parse(row.Job.Args),
            row.Job.Attempt,
            row.Job.MaxAttempts,
            row.MaxRunSeconds,
            row.Job.Id,
            row.Job.ClaimNo,
            row.Job.Checkpoint is null ? null : JsonElement.Parse(row.Job.Checkpoint),
            row.Job.Lost,
            row.Job.TraceParent
        );
}

/// <summary>A job whose handler is to stop.</summary>
/// <param name="Do"><c>cancel</c>.</param>
public sealed record SignalView(
    Guid Id,
    [property: MaxLength(Lease.Length)] string Lease,
    [property: AllowedValues("cancel")] string Do
);
