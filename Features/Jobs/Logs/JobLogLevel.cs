using System.Collections.Immutable;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>How much a line of a job's log matters, as numbered in <c>job_logs.level</c>.</summary>
public enum JobLogLevel : short
{
    Debug,
    Info,
    Warning,
    Error,

    /// <summary>Not written by an execution: it stands where lines were left out.</summary>
    LeftOut,
}

/// <summary>How levels are spelled.</summary>
public static class JobLogLevels
{
    /// <summary>What an execution may write.</summary>
    public static readonly ImmutableArray<string> Written = ["debug", "info", "warning", "error"];

    public static readonly ImmutableArray<string> All = [.. Written, "left_out"];

    public static string Word(this JobLogLevel level) => All[(int)level];

    /// <summary>The level of a word that is one.</summary>
    public static JobLogLevel Of(string word) => (JobLogLevel)All.IndexOf(word);
}
