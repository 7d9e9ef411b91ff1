using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs;

/// <summary>An attempt that did not succeed.</summary>
/// <param name="Outcome"><c>failed lost released</c>; the number of a released one is given again.</param>
/// <param name="At">When it ended.</param>
public sealed record JobAttempt(
    short Attempt,
    [property: AllowedValues("failed", "lost", "released", "snoozed")] string Outcome,
    DateTime? StartedAt,
    DateTime At,
    [property: AnyObject] JsonElement? Error
);

/// <summary>A job as read from either table: of <c>State</c> and <c>Outcome</c> one is null.</summary>
internal record JobRow
{
    public Guid Id { get; init; }

    public string Queue { get; init; } = "";

    public string Kind { get; init; } = "";

    public short? State { get; init; }

    public short? Outcome { get; init; }

    public short Attempt { get; init; }

    public short MaxAttempts { get; init; }

    public short Priority { get; init; }

    public DateTime CreatedAt { get; init; }

    public DateTime RunAt { get; init; }

    public DateTime? ClaimedAt { get; init; }

    public DateTime? FinishedAt { get; init; }

    public short WaitReason { get; init; }

    public string? Reason { get; init; }

    public DateTime? CancelRequestedAt { get; init; }

    public DateTime? StartBefore { get; init; }

    public string? Lane { get; init; }

    public string[]? Tags { get; init; }

    public float? Progress { get; init; }

    public string? Note { get; init; }

    public string? Args { get; init; }

    public string? Result { get; init; }

    public string? Error { get; init; }
}

internal sealed record JobAttemptRow
{
    public short Attempt { get; init; }

    public string Outcome { get; init; } = "";

    public DateTime? StartedAt { get; init; }

    public DateTime At { get; init; }

    public string? Error { get; init; }

    public JobAttempt ToAttempt() => new(Attempt, Outcome, StartedAt, At, StoredJson.Read(Error));
}

/// <summary>Hands stored JSON on as it is.</summary>
internal static class StoredJson
{
    private static readonly JsonElement Null = JsonElement.Parse("null");

    public static JsonElement Read(string? json) => json is null ? Null : JsonElement.Parse(json);
}
