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
    public static readonly ProblemCode Internal = new(409, "job_internal", "The job is the service's own")
    {
        Example = new("Jobs of kind automations.run are the service's own: act on what it carries."),
    };

    public static Problem NoJob { get; } = Problems.NotFound.Because("There is no such job in this project.");

    internal static Problem IsFinished(string state) => Finished.Because($"The job is over: it is {state}.");

    internal static Problem IsInternal(string kind) =>
        Internal.Because($"Jobs of kind {kind} are the service's own: act on what it carries.");
}
