using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs;

/// <summary>What may go wrong with a job, beyond what may go wrong with any request.</summary>
public static class JobProblems
{
    public static readonly ProblemCode UnknownQueue = new(422, "unknown_queue", "There is no such queue");
    public static readonly ProblemCode UnknownKind = new(422, "unknown_kind", "Nothing executes jobs of this kind");

    public static Problem NoJob { get; } = Problems.NotFound.Because("There is no such job in this project.");
}
