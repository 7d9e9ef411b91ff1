using System.Collections.Immutable;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>The queues that every project has from its start: the service itself works on them, and they stay.</summary>
public static class BuiltInQueues
{
    public static readonly ImmutableArray<string> All = [JobQueue.Default, JobQueue.Automations, JobQueue.Webhooks];

    public static bool Holds(string? name) => name is not null && All.Contains(name);

    /// <summary>How failed jobs are retried where the queue's author says nothing: what carries runs and deliveries soon again.</summary>
    public static RetryPolicy RetryOf(string name) =>
        name is JobQueue.Automations or JobQueue.Webhooks
            ? RetryPolicy.Default with
            {
                MaxSeconds = 60,
            }
            : RetryPolicy.Default;
}
