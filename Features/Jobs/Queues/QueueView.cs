using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>How many jobs may start in how long, as it is shown.</summary>
public sealed record QueueRateView(
    [property: Range(1, QueueRateRules.MaxCount)] int Count,
    [property: Range(1, QueueRateRules.MaxSeconds)] int Seconds,
    [property: Range(1, QueueRateRules.MaxCount)] int Burst
);

/// <summary>A queue as it is shown.</summary>
/// <param name="BuiltIn">Every project has it: it stays, and the service works on it.</param>
/// <param name="ServedBy">Who executes its jobs: this <c>service</c>, or <c>workers</c> that claim over the API.</param>
/// <param name="PausedAt">Since when none of its jobs is started; null: it is not paused.</param>
/// <param name="Retry">How failed jobs are retried that do not say so themselves.</param>
/// <param name="Revision">1, and one more with each change; to pause it and to resume it are changes.</param>
public sealed record QueueView(
    Guid Id,
    [property: SlugShape] string Name,
    bool BuiltIn,
    [property: AllowedValues(QueueServer.Service, QueueServer.Workers)] string ServedBy,
    DateTime? PausedAt,
    [property: Range(1, QueueRules.MaxRunning)] int? MaxRunning,
    QueueRateView? Rate,
    [property: Range(1, QueueRules.MaxLaneLimit)] short? LaneLimit,
    bool LaneOrdered,
    [property: Range(1, QueueRules.MaxWeight)] short Weight,
    [property: Range(1, QueueRules.MaxDepth)] int? MaxDepth,
    [property: Range(QueueRules.MinLeaseSeconds, QueueRules.MaxLeaseSeconds)] short LeaseSeconds,
    [property: Range(1, QueueRules.MaxRunSeconds)] int? MaxRunSeconds,
    RetryPolicy Retry,
    [property: Range(1, int.MaxValue)] int Revision,
    DateTime CreatedAt,
    DateTime UpdatedAt
) : IRevised, IExampled<QueueView>
{
    public static QueueView Example =>
        new(
            Story.Queue,
            "refunds",
            false,
            QueueServer.Workers,
            null,
            4,
            new QueueRateView(100, 60, 10),
            1,
            false,
            QueueDocument.DefaultWeight,
            null,
            QueueDocument.DefaultLeaseSeconds,
            null,
            RetryPolicy.Default,
            1,
            Story.SetUpAt,
            Story.SetUpAt
        );

    /// <summary>A member a line, for people: its name and its value, apart by a tab.</summary>
    internal string ToLines() =>
        string.Join(
            '\n',
            JsonSerializer
                .SerializeToElement(this, JsonRules.Options)
                .EnumerateObject()
                .Select(member => $"{member.Name}\t{member.Value}")
        );

    public QueueDocument ToDocument() =>
        new(
            Name,
            ServedBy,
            MaxRunning,
            Rate is null ? null : new QueueRate(Rate.Count, Rate.Seconds, Rate.Burst),
            LaneLimit,
            LaneOrdered,
            Weight,
            MaxDepth,
            LeaseSeconds,
            MaxRunSeconds,
            Retry
        );
}

/// <summary>A queue's row.</summary>
internal sealed record QueueRow
{
    /// <summary>As its jobs refer to it; only a change reads it.</summary>
    public long QueueId { get; init; }

    public required Guid Id { get; init; }

    public required string Name { get; init; }

    public required string ServedBy { get; init; }

    public DateTime? PausedAt { get; init; }

    public int? MaxRunning { get; init; }

    public int? RateCount { get; init; }

    public int? RateSeconds { get; init; }

    public int? RateBurst { get; init; }

    public short? LaneLimit { get; init; }

    public bool LaneOrdered { get; init; }

    public short Weight { get; init; }

    public int? MaxDepth { get; init; }

    public short LeaseSeconds { get; init; }

    public int? MaxRunSeconds { get; init; }

    public required string Retry { get; init; }

    public int Revision { get; init; }

    public DateTime CreatedAt { get; init; }

    public DateTime UpdatedAt { get; init; }

    public QueueView ToView() =>
        new(
            Id,
            Name,
            BuiltInQueues.Holds(Name),
            ServedBy,
            PausedAt,
            MaxRunning,
            RateCount is { } count && RateSeconds is { } seconds
                ? new QueueRateView(count, seconds, RateBurst ?? 1)
                : null,
            LaneLimit,
            LaneOrdered,
            Weight,
            MaxDepth,
            LeaseSeconds,
            MaxRunSeconds,
            JsonSerializer.Deserialize<RetryPolicy>(Retry, JsonRules.Options)!,
            Revision,
            CreatedAt,
            UpdatedAt
        );
}
