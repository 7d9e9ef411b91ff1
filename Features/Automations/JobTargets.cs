using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.Automations;

/// <summary>Where a step may put a job: the queues of the project, and the kinds this service executes.</summary>
/// <param name="queues">Names of the project's queues, each with whether this service executes its jobs.</param>
/// <param name="author">What narrows whoever writes the step: he has others do no more than he may; null: nothing.</param>
internal sealed class JobTargets(JobKinds kinds, IReadOnlyDictionary<string, bool> queues, Access? author = null)
{
    private const string OfAuthor = "What proves the author is narrowed:";

    /// <summary>Why a job cannot be enqueued; null where it can. What is null is not known yet and is not judged.</summary>
    public RunError? Fault(string? queue, string? kind)
    {
        if (queue is not null && !queues.ContainsKey(queue))
        {
            return new RunError(JobProblems.UnknownQueue.Code, $"There is no queue {queue} in this project.");
        }

        if (author?.Queues is { } reached && (queue is null || !reached.Contains(queue, StringComparer.Ordinal)))
        {
            return new RunError(
                JobProblems.UnknownQueue.Code,
                $"{OfAuthor} name one of the queues {string.Join(", ", reached)}, and not by an expression."
            );
        }

        if (kind is null && author is not null && (author.Tags is not null || author.Owner is not null))
        {
            return new RunError(JobProblems.UnknownKind.Code, $"{OfAuthor} name the kind, and not by an expression.");
        }

        if (kind is null)
        {
            return null;
        }

        if (author is not null && !kinds.IsReached(kind, author))
        {
            return new RunError(
                JobProblems.UnknownKind.Code,
                $"{OfAuthor} jobs of kind {kind} may name any connection. Take a step that names one."
            );
        }

        if (kinds.IsInternal(kind))
        {
            return new RunError(JobProblems.UnknownKind.Code, $"The kind {kind} is for the service's own use.");
        }

        return queue is not null && queues[queue] && !kinds.IsOpen(kind)
            ? new RunError(JobProblems.UnknownKind.Code, kinds.TellUnknown(kind, queue))
            : null;
    }
}
