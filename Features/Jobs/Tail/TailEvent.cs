using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs.Tail;

/// <summary>A job that has begun or ended; never what it was given or gave.</summary>
/// <param name="State"><c>running</c> where it has begun, else how it ended.</param>
/// <param name="StartedAt">When the attempt began; null where it ended without one.</param>
/// <param name="ErrorCode">What it ended with, where something went wrong.</param>
public sealed record TailedJob(
    Guid Id,
    [property: MaxLength(100)] string Queue,
    [property: MaxLength(100)] string Kind,
    [property: WordOf(typeof(JobState))] string State,
    short Attempt,
    DateTime? StartedAt,
    DateTime? FinishedAt,
    [property: MaxLength(100)] string? ErrorCode
) : IExampled<TailedJob>
{
    public static TailedJob Example =>
        new(Story.Job, "default", "log", JobState.Succeeded, 1, Story.After(12), Story.After(15), null);
}

/// <summary>Here something was passed over.</summary>
/// <param name="Count">How many events; null: nobody counted them.</param>
public sealed record TailGap(int? Count);

/// <summary>What is told to whoever watches the jobs of a project.</summary>
/// <param name="Id">The place up to which every end has been told.</param>
public sealed record TailEvent(string Id, TailedJob? Job, TailGap? Gap)
{
    // written by whoever is first, for all who are told: the same bytes whoever that is
    private byte[]? _data;

    public string Name =>
        Job is null ? "gap"
        : Job.FinishedAt is null ? "started"
        : "ended";

    internal ReadOnlyMemory<byte> Data =>
        _data ??= Job is null
            ? JsonSerializer.SerializeToUtf8Bytes(Gap, JsonRules.Options)
            : JsonSerializer.SerializeToUtf8Bytes(Job, JsonRules.Options);

    internal static TailEvent Of(TailPlace place, TailedJob job) => new($"{place}", job, null);

    /// <param name="count">Null: nobody counted them.</param>
    internal static TailEvent Missed(TailPlace place, int? count) => new($"{place}", null, new TailGap(count));
}

/// <summary>What somebody watches.</summary>
/// <param name="Queues">Null: all.</param>
internal sealed record TailFilter(IReadOnlyList<string>? Queues, string? Kind, string? State)
{
    /// <summary>Those that an event may carry.</summary>
    public static readonly IReadOnlyList<string> States = [JobState.Running, .. JobState.Finished];

    public bool Fits(TailedJob job) =>
        (State is null || State == job.State)
        && (Kind is null || Kind == job.Kind)
        && (Queues is null || Queues.Contains(job.Queue, StringComparer.Ordinal));
}
