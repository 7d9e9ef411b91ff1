using System.Collections.Frozen;
using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.Jobs;

/// <summary>The kinds of jobs this process can execute: one <see cref="JobConsumer"/> each, found by scanning.</summary>
public sealed class JobKinds(IEnumerable<JobConsumer> consumers)
{
    private readonly FrozenDictionary<string, Known> _kinds = consumers.ToFrozenDictionary(
        consumer => consumer.Kind,
        consumer => new Known(consumer, ActsOnGivingUp(consumer)),
        StringComparer.Ordinal
    );

    /// <summary>The kinds that are ready again at once after a loss.</summary>
    public string[] Carriers =>
        [.. _kinds.Values.Where(kind => kind.Consumer.IsCarrier).Select(kind => kind.Consumer.Kind)];

    /// <summary>The kinds that the service uses itself.</summary>
    internal string[] Internal =>
        [.. _kinds.Values.Where(kind => kind.Consumer.IsInternal).Select(kind => kind.Consumer.Kind)];

    public JobConsumer? Find(string kind) => _kinds.GetValueOrDefault(kind)?.Consumer;

    /// <summary>Whether users may enqueue it.</summary>
    public bool IsOpen(string kind) => Find(kind) is { IsInternal: false, Off: null };

    /// <summary>Whether the service keeps it to itself, on whatever queue.</summary>
    public bool IsInternal(string kind) => Find(kind) is { IsInternal: true };

    /// <summary>Tells that a kind is not executed on a queue of the service, and why where there is more to say.</summary>
    public string TellUnknown(string kind, string queue) =>
        $"Nothing executes jobs of kind {kind} on the queue {queue}. {Find(kind)?.Off}".TrimEnd();

    /// <summary>Whether the caller, who may be narrowed to some configuration, may have such a job.</summary>
    public bool IsReached(string kind, Access access) =>
        (access.Tags is null && access.Owner is null) || Find(kind) is not { NamesConfiguration: true };

    /// <summary>The kinds of which the caller may not have a job.</summary>
    internal string[] ClosedTo(Access access) =>
        [.. _kinds.Values.Select(kind => kind.Consumer.Kind).Where(kind => !IsReached(kind, access))];

    /// <summary>The consumer, where something else becomes true in the transaction that fails its job for good.</summary>
    internal JobConsumer? FindActingOnGivingUp(string kind) =>
        _kinds.GetValueOrDefault(kind) is { ActsOnGivingUp: true } known ? known.Consumer : null;

    private static bool ActsOnGivingUp(JobConsumer consumer) =>
        consumer.GetType().GetMethod(nameof(JobConsumer.GaveUpAsync))!.DeclaringType != typeof(JobConsumer);

    private sealed record Known(JobConsumer Consumer, bool ActsOnGivingUp);
}
