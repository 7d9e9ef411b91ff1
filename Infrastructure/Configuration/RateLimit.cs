using System.Collections.Frozen;
using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace Bellhop.Infrastructure.Configuration;

/// <summary>So many requests in so many seconds, written <c>600/60</c>.</summary>
public sealed record RateLimit(
    [property: Range(1, RateLimit.MaxRequests)] int Requests,
    [property: Range(1, RateLimit.MaxSeconds)] int Seconds
)
{
    public const int MaxRequests = 1_000_000;
    public const int MaxSeconds = 86_400;

    /// <summary>Where a limit can be set, as <c>scope:bucket</c>.</summary>
    public static readonly string[] Places =
    [
        .. new[] { "Key", "Address", "Project" }.SelectMany(scope =>
            new[] { "Reads", "Writes", "Bulk", "Auth", "Work" }.Select(bucket => $"{scope}:{bucket}")
        ),
        "Source:Inbound",
    ];

    /// <summary>The limits where nothing is said. Keys and projects have none.</summary>
    public static readonly FrozenDictionary<string, RateLimit> Defaults = new Dictionary<string, RateLimit>
    {
        ["Address:Auth"] = new(20, 60),
        ["Source:Inbound"] = new(200, 1),
    }.ToFrozenDictionary();

    /// <summary>Null where the text is not a limit.</summary>
    public static RateLimit? Parse(string text) =>
        text.Split('/') is [var requests, var seconds]
        && TryRead(requests, MaxRequests, out var many)
        && TryRead(seconds, MaxSeconds, out var span)
            ? new RateLimit(many, span)
            : null;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Requests}/{Seconds}");

    private static bool TryRead(string text, int most, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
        && number >= 1
        && number <= most;
}
