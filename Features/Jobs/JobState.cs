using System.Collections.Immutable;

namespace Bellhop.Features.Jobs;

/// <summary>How the state of a job is spelled. A job that is unfinished stands in one table, a finished one in another.</summary>
public static class JobState
{
    public const string Waiting = "waiting";
    public const string Ready = "ready";
    public const string Running = "running";
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";
    public const string Canceled = "canceled";
    public const string Expired = "expired";

    /// <summary>As numbered in <c>jobs.state</c>.</summary>
    public static readonly ImmutableArray<string> Unfinished = [Waiting, Ready, Running];

    /// <summary>As numbered in <c>job_history.outcome</c>.</summary>
    public static readonly ImmutableArray<string> Finished = [Succeeded, Failed, Canceled, Expired];

    public static readonly ImmutableArray<string> All = [.. Unfinished, .. Finished];

    /// <summary>The word for a row: of its outcome where it is finished, else of its state.</summary>
    public static string Of(short? state, short? outcome) =>
        outcome is { } end ? Finished[end] : Unfinished[state ?? 0];
}
