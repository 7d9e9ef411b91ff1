using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>The failures that only queues know.</summary>
public static class QueueProblems
{
    public static readonly ProblemCode BuiltIn = new(409, "queue_built_in", "Every project has the queue");
    public static readonly ProblemCode NotEmpty = new(409, "queue_not_empty", "The queue has unfinished jobs");
}
