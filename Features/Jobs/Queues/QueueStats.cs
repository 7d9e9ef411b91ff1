using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>So many, or more: what is many is not counted to the end.</summary>
/// <param name="Capped">There are more than that.</param>
public sealed record QueueCount([property: Range(0, QueueCount.Max)] int Count, bool Capped)
{
    public const int Max = 10_000;

    /// <param name="counted">Counted to one more than what is shown.</param>
    public static QueueCount Of(long counted) => new((int)Math.Min(counted, Max), counted > Max);
}

/// <summary>The jobs of a queue that wait for something else than their time, by what that is.</summary>
/// <param name="Lane">Their lane is full.</param>
/// <param name="Jobs">Other jobs, which they depend on, have not ended.</param>
/// <param name="Held">Somebody holds them.</param>
public sealed record QueueWaiting(QueueCount Lane, QueueCount Jobs, QueueCount Held);

/// <summary>How a queue is at this moment.</summary>
/// <param name="Ready">Due now.</param>
/// <param name="Scheduled">Due later: made for later, or failed and to be tried again.</param>
/// <param name="OldestReadyAgeSeconds">How long the one that is longest due has been due; null: none is.</param>
public sealed record QueueNow(
    QueueCount Ready,
    QueueCount Scheduled,
    QueueWaiting Waiting,
    QueueCount Running,
    [property: Range(0, QueueMinute.MaxSeconds)] double? OldestReadyAgeSeconds
);

/// <summary>What happened in one minute, in all processes together.</summary>
/// <param name="Minute">Its beginning.</param>
/// <param name="Started">Claimed, by whoever executes them.</param>
/// <param name="Failed">For good; those that are tried again are <c>retried</c>.</param>
/// <param name="Released">Given back, the attempt not counted.</param>
/// <param name="Lost">Whoever held them went silent.</param>
/// <param name="AvgWaitSeconds">From when they were due until they were started; null: none was.</param>
/// <param name="AvgRunSeconds">Of those that ended; null: none did.</param>
public sealed record QueueMinute(
    DateTime Minute,
    long Started,
    long Succeeded,
    long Failed,
    long Retried,
    long Released,
    long Lost,
    [property: Range(0, QueueMinute.MaxSeconds)] double? AvgWaitSeconds,
    [property: Range(0, QueueMinute.MaxSeconds)] double? AvgRunSeconds
)
{
    internal const double MaxSeconds = 1e12;
}

/// <summary>How a queue is, and what became of its jobs lately.</summary>
/// <param name="PausedAt">Since when none of its jobs is started; null: it is not paused.</param>
/// <param name="Failed24h">Failed for good in the last 24 hours.</param>
/// <param name="Minutes">The newest first; a minute in which nothing happened is left out.</param>
public sealed record QueueStats(
    [property: SlugShape] string Queue,
    DateTime? PausedAt,
    QueueNow Now,
    [property: JsonPropertyName("failed_24h")] QueueCount Failed24h,
    [property: MaxLength(QueueStats.MaxMinutes)] IReadOnlyList<QueueMinute> Minutes
) : IExampled<QueueStats>
{
    public const int MaxMinutes = 1_440;

    public static QueueStats Example =>
        new(
            "refunds",
            null,
            new QueueNow(
                new QueueCount(QueueCount.Max, true),
                new QueueCount(12, false),
                new QueueWaiting(new QueueCount(3, false), new QueueCount(0, false), new QueueCount(1, false)),
                new QueueCount(4, false),
                7.25
            ),
            new QueueCount(2, false),
            [new QueueMinute(Story.At, 240, 236, 0, 3, 1, 0, 0.8, 0.95)]
        );
}

/// <summary>What a queue holds at this moment, each counted to one more than is told.</summary>
internal sealed record QueueDepth
{
    public long QueueId { get; init; }

    public required string Name { get; init; }

    public DateTime? PausedAt { get; init; }

    public long Ready { get; init; }

    public long Scheduled { get; init; }

    public long WaitingLane { get; init; }

    public long WaitingJobs { get; init; }

    public long WaitingHeld { get; init; }

    public long Running { get; init; }

    public double? OldestReadyAgeSeconds { get; init; }

    public long Failed { get; init; }

    public QueueStats ToStats(IReadOnlyList<QueueMinute> minutes) =>
        new(
            Name,
            PausedAt,
            new QueueNow(
                QueueCount.Of(Ready),
                QueueCount.Of(Scheduled),
                new QueueWaiting(QueueCount.Of(WaitingLane), QueueCount.Of(WaitingJobs), QueueCount.Of(WaitingHeld)),
                QueueCount.Of(Running),
                OldestReadyAgeSeconds
            ),
            QueueCount.Of(Failed),
            minutes
        );
}
