using System.Globalization;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>A queue as it is right now, a line of the table.</summary>
/// <param name="Ready">Due, counted to 10,001.</param>
/// <param name="Running">Counted to 10,001.</param>
/// <param name="OldestReadyAgeSeconds">How long the one that is longest due has been due; null: none is.</param>
public sealed record QueueLoad(
    string Name,
    string ServedBy,
    bool IsPaused,
    int? MaxRunning,
    long Ready,
    long Running,
    double? OldestReadyAgeSeconds,
    double StartedPerMinute,
    double FailedPerMinute
)
{
    internal static readonly string[] Columns =
    [
        "queue",
        "served by",
        "ready",
        "running",
        "oldest",
        "started/min",
        "failed/min",
        "paused",
    ];

    internal string[] Cells() =>
        [
            Name,
            ServedBy,
            Counted(Ready),
            MaxRunning is { } limit ? $"{Counted(Running)}/{limit}" : Counted(Running),
            OldestReadyAgeSeconds is { } age ? Age(TimeSpan.FromSeconds(age)) : "-",
            Rate(StartedPerMinute),
            Rate(FailedPerMinute),
            IsPaused ? "paused" : "-",
        ];

    private static string Counted(long count) => count > QueueCount.Max ? $"{QueueCount.Max}+" : $"{count}";

    private static string Rate(double rate) => rate.ToString("0.#", CultureInfo.InvariantCulture);

    private static string Age(TimeSpan age) =>
        age.TotalDays >= 1 ? $"{(int)age.TotalDays}d{age.Hours}h"
        : age.TotalHours >= 1 ? $"{age.Hours}h{age.Minutes}m"
        : age.TotalMinutes >= 1 ? $"{age.Minutes}m{age.Seconds}s"
        : $"{age.Seconds}s";
}
