using System.Collections.Immutable;

namespace Bellhop.Features.Jobs;

/// <summary>Why a job waits, whenever it is due.</summary>
public static class WaitReason
{
    /// <summary>Its lane is full.</summary>
    public const string Lane = "lane";

    /// <summary>Jobs that it depends on have not ended.</summary>
    public const string Jobs = "jobs";

    /// <summary>An operator held it.</summary>
    public const string Held = "held";

    /// <summary>As numbered in <c>jobs.wait_reason</c>, from 1.</summary>
    public static readonly ImmutableArray<string> All = [Lane, Jobs, Held];

    /// <summary>Null: it does not wait.</summary>
    public static string? Of(short number) => number == 0 ? null : All[number - 1];
}
