using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs;

/// <summary>What may go wrong with a job, beyond what may go wrong with any request.</summary>
public static class JobProblems
{
    public static readonly ProblemCode UnknownQueue = new(422, "unknown_queue", "There is no such queue");
    public static readonly ProblemCode UnknownKind = new(422, "unknown_kind", "Nothing executes jobs of this kind");
    public static readonly ProblemCode Finished = new(409, "job_finished", "The job is over")
    {
        Example = new("The job is over: it has succeeded."),
    };
    public static readonly ProblemCode Unfinished = new(409, "job_unfinished", "The job is not over")
    {
        Example = new("The job is ready: run-now makes it due, and cancel ends it."),
    };
    public static readonly ProblemCode Running = new(409, "job_running", "The job is running")
    {
        Example = new("The job is running: cancel it, or wait for its end."),
    };
    public static readonly ProblemCode Waiting = new(409, "job_waiting", "The job waits for more than its time")
    {
        Example = new("The job waits: it is held. Free it first."),
    };
    public static readonly ProblemCode KeyTaken = new(409, "key_taken", "Another job has the key")
    {
        Example = new("Another job has its key now: it stays as it is until that one gives the key up."),
    };
    public static readonly ProblemCode Internal = new(409, "job_internal", "The job is the service's own")
    {
        Example = new("Jobs of kind automations.run are the service's own: act on what it carries."),
    };

    public static readonly ProblemCode QueueFull = new(429, "queue_full", "The queue is full");
    public static readonly ProblemCode TooManyViewers = new(429, "too_many_viewers", "Too many watch already")
    {
        Example = new("The jobs of the project are watched by as many as can be at once; come again later."),
    };
    public static readonly ProblemCode UnknownJob = new(422, "unknown_job", "There is no such job to wait for");
    public static readonly ProblemCode ParentFailed = new(
        409,
        "parent_failed",
        "A job that is waited for has ended otherwise"
    );
    public static readonly ProblemCode Cycle = new(422, "cycle", "The job would wait for itself");
    public static readonly ProblemCode TooManyChildren = new(
        422,
        "too_many_children",
        "Too many jobs wait for those that it blocks"
    );
    public static readonly ProblemCode NotOfWorkers = new(422, "not_of_workers", "The queue is not served by workers");
    public static readonly ProblemCode QueueNotAllowed = new(403, "queue_not_allowed", "The key is for other queues");
    public static readonly ProblemCode TooManyLeases = new(409, "too_many_leases", "The worker holds too many jobs");
    public static readonly ProblemCode LeaseLost = new(409, "lease_lost", "The lease is no longer the job's");
    public static readonly ProblemCode NotHeld = new(409, "not_held", "The job is not held");

    public static Problem NoJob { get; } = Problems.NotFound.Because("There is no such job in this project.");

    internal static Problem IsFinished(string state) => Finished.Because($"The job is over: it is {state}.");

    internal static Problem IsUnfinished(string state) =>
        Unfinished.Because($"The job is {state}: run-now makes it due, and cancel ends it.");

    internal static Problem IsRunning() => Running.Because("The job is running: cancel it, or wait for its end.");

    internal static Problem IsWaiting(short reason) =>
        Waiting.Because(
            WaitReason.Of(reason) switch
            {
                WaitReason.Held => "The job waits: it is held. Free it first.",
                WaitReason.Lane => "The job waits for a place in its lane.",
                _ => "The job waits for other jobs to end.",
            }
        );

    internal static Problem IsKeyTaken() => KeyTaken.Because(KeyTaken.Example!.Detail);

    internal static Problem IsOutOfReach() =>
        Problems.Forbidden.Because("What proves the caller is narrowed: no jobs that may name any connection.");

    internal static Problem IsInternal(string kind) =>
        Internal.Because($"Jobs of kind {kind} are the service's own: act on what it carries.");
}
