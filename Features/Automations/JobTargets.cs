using Bellhop.Features.Jobs;

namespace Bellhop.Features.Automations;

/// <summary>Where a step may put a job: the queues of the project, and the kinds this service executes.</summary>
/// <param name="queues">Names of the project's queues, each with whether this service executes its jobs.</param>
internal sealed class JobTargets(JobKinds kinds, IReadOnlyDictionary<string, bool> queues)
{
    /// <summary>Why a job cannot be enqueued; null where it can. What is null is not known yet and is not judged.</summary>
    public RunError? Fault(string? queue, string? kind)
    {
        if (queue is not null && !queues.ContainsKey(queue))
        {
            return new RunError(JobProblems.UnknownQueue.Code, $"There is no queue {queue} in this project.");
        }

        if (kind is null)
        {
            return null;
        }

        if (kinds.Find(kind) is { IsInternal: true })
        {
            return new RunError(JobProblems.UnknownKind.Code, $"The kind {kind} is for the service's own use.");
        }

        return queue is not null && queues[queue] && !kinds.IsOpen(kind)
            ? new RunError(JobProblems.UnknownKind.Code, $"Nothing executes jobs of kind {kind} on the queue {queue}.")
            : null;
    }
}
