using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs;

public static class JobProblems
{
    public static readonly ProblemCode UnknownQueue = new(422, "unknown_queue", "There is no such queue");
    public static readonly ProblemCode UnknownKind = new(422, "unknown_kind", "Nothing executes jobs of this kind");
}
