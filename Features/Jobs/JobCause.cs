using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace Bellhop.Features.Jobs;

/// <summary>A thing that keeps a job from running.</summary>
/// <param name="Kind"><c>queue lane job worker</c>.</param>
/// <param name="Name">Of a queue or a lane its name, of a job or a worker its id.</param>
public sealed record Obstacle(
    [property: AllowedValues("queue", "lane", "job", "worker")] string Kind,
    [property: MaxLength(200)] string Name
);

/// <summary>Why a job is where it is. Where several things are in the way, the one that must go first is named.</summary>
internal sealed record JobCause(
    string Word,
    string Message,
    Obstacle? InTheWay = null,
    DateTime? StartsAt = null,
    int? Position = null
)
{
    public const string Held = "held";
    public const string WaitsForJobs = "parents";
    public const string LaneFull = "lane_full";
    public const string Scheduled = "scheduled";
    public const string Paused = "paused";
    public const string NoHandler = "no_handler";
    public const string NoWorker = "no_worker";
    public const string QueueFull = "queue_full";
    public const string Rate = "rate";
    public const string Behind = "behind";
    public const string Next = "next";
    public const string Running = "running";
    public const string Silent = "worker_silent";
    public const string Canceling = "canceling";
    public const string Canceled = "canceled";
    public const string Finished = "finished";

    public static readonly ImmutableArray<string> All =
    [
        Held,
        WaitsForJobs,
        LaneFull,
        Scheduled,
        Paused,
        NoHandler,
        NoWorker,
        QueueFull,
        Rate,
        Behind,
        Next,
        Running,
        Silent,
        Canceling,
        Canceled,
        Finished,
    ];

    public static JobCause Of(JobPlace place, JobKinds kinds, DateTime now) =>
        place.Outcome is not null ? OfFinished(place)
        : place.State == 2 ? OfRunning(place)
        : place.State == 0 ? OfWaiting(place)
        : OfReady(place, kinds, now);

    private static JobCause OfFinished(JobPlace place)
    {
        var state = JobState.Of(null, place.Outcome);
        return state == JobState.Canceled
            ? new(Canceled, $"The job was canceled at {Time(place.FinishedAt)}; retry puts it back.")
            : new(
                Finished,
                state == JobState.Succeeded
                    ? $"The job succeeded at {Time(place.FinishedAt)}."
                    : $"The job is over: it {state} at {Time(place.FinishedAt)}; retry puts it back."
            );
    }

    private static JobCause OfRunning(JobPlace place)
    {
        var worker = place.WorkerId is { } id ? new Obstacle("worker", $"{id}") : null;
        if (place.CancelRequestedAt is { } asked)
        {
            return new(
                Canceling,
                $"It was to be canceled at {Time(asked)}; whoever runs it has until {Time(place.CancelBy)}.",
                worker
            );
        }

        return place.IsSilent
            ? new(
                Silent,
                $"Its lease ended at {Time(place.LeaseUntil)} without a word; it goes back to its queue.",
                worker
            )
            : new(Running, $"It runs since {Time(place.ClaimedAt)}, attempt {place.Attempt}.", worker);
    }

    private static JobCause OfWaiting(JobPlace place) =>
        WaitReason.Of(place.WaitReason) switch
        {
            WaitReason.Held => new(Held, "It is held; free lets it go on."),
            WaitReason.Jobs => new(
                WaitsForJobs,
                place.ParentIsBroken
                    ? "A job that it waits for ended otherwise than it needs; it goes on when that one was retried and ends as it needs."
                    : "A job that it waits for has not ended.",
                place.ParentId is { } parent ? new Obstacle("job", $"{parent}") : null
            ),
            _ when place.IsScheduled => Later(place),
            _ => new(
                LaneFull,
                $"It waits for a place in its lane {place.Lane}: {Count(place.LaneHeld)} of {place.LaneLimit ?? 1} are taken.",
                new Obstacle("lane", place.Lane ?? ""),
                place.RunAt
            ),
        };

    private static JobCause Later(JobPlace place) =>
        new(
            Scheduled,
            place.Attempt > 0
                ? $"Attempt {place.Attempt} did not succeed; the next one is due at {Time(place.RunAt)}."
                : $"It is due at {Time(place.RunAt)}.",
            null,
            place.RunAt
        );

    private static JobCause OfReady(JobPlace place, JobKinds kinds, DateTime now)
    {
        var queue = new Obstacle("queue", place.Queue);
        if (place.ServedHere && kinds.Find(place.Kind) is null)
        {
            return new(NoHandler, $"Nothing in this version of the service executes jobs of kind {place.Kind}.", queue);
        }

        if (!place.ServedHere && place.IsUnknown)
        {
            var why = $"The worker that had it last executes no jobs of kind {place.Kind}.";
            return new(NoHandler, why, queue, place.RunAt);
        }

        if (place.IsScheduled)
        {
            return Later(place);
        }

        if (place.PausedAt is { } paused)
        {
            return new(Paused, $"The queue {place.Queue} is paused since {Time(paused)}.", queue, null, place.Before);
        }

        if (!place.ServedHere && !place.HasWorker)
        {
            return new(
                NoWorker,
                $"No worker that claims from the queue {place.Queue} was seen in the last minutes.",
                queue,
                null,
                place.Before
            );
        }

        if (place.MaxRunning is { } most && place.RunningCount >= most)
        {
            return new(
                QueueFull,
                $"The queue {place.Queue} runs {place.RunningCount} jobs at once, and {most} is its limit.",
                queue,
                null,
                place.Before
            );
        }

        if (place.RateStartsAt is { } next && next > now)
        {
            return new(
                Rate,
                $"The rate of the queue {place.Queue} lets the next job start at {Time(next)}.",
                queue,
                next,
                place.Before
            );
        }

        return place.Before > 0
            ? new(
                Behind,
                $"{Count(place.Before)} due jobs of the queue {place.Queue} come before it.",
                queue,
                null,
                place.Before
            )
            : new(Next, $"It is the next one of the queue {place.Queue}.", queue, now, 0);
    }

    private static string Count(int count) => count >= JobPlaces.MaxCount ? "More than 10,000" : $"{count}";

    private static string Time(DateTime? time) =>
        time?.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "an unknown time";
}
