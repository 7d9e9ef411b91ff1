using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Webhooks;

/// <summary>The states of a delivery.</summary>
internal static class DeliveryState
{
    public const string Pending = "pending";
    public const string Sending = "sending";
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";
    public const string Disabled = "disabled";

    public static readonly string[] All =
    [
        Pending,
        Sending,
        Succeeded,
        Failed,
        "filtered",
        "parked",
        Disabled,
        "canceled",
    ];
}

/// <summary>One event to one webhook endpoint.</summary>
/// <param name="Id">Also the <c>webhook-id</c> of every attempt.</param>
/// <param name="State"><c>pending</c>, <c>sending</c>, <c>succeeded</c>, <c>failed</c>, <c>filtered</c>, <c>parked</c>, <c>disabled</c> or <c>canceled</c>.</param>
/// <param name="Sequence">The <c>webhook-sequence</c>: without gaps per endpoint, given at the first attempt.</param>
/// <param name="Attempt">How many attempts were begun.</param>
/// <param name="NextAttemptAt">When the next attempt is due; null when there is none.</param>
/// <param name="CreatedAt">When its event was received.</param>
public sealed record Delivery(
    Guid Id,
    Guid EventId,
    Guid EndpointId,
    [property: WordOf(typeof(DeliveryState))] string State,
    long? Sequence,
    short Attempt,
    DateTime? NextAttemptAt,
    DateTime CreatedAt,
    DateTime? FinishedAt
) : IExampled<Delivery>
{
    public static Delivery Example =>
        new(
            Story.Delivery,
            Story.Event,
            Story.Endpoint,
            DeliveryState.Succeeded,
            1,
            1,
            null,
            Story.At,
            Story.After(94)
        );
}

/// <summary>One try to deliver.</summary>
/// <param name="At">When it began; of a lost one, when it was due.</param>
/// <param name="Error">Null when the receiver answered 2xx: a code of the ways a request fails, <c>http_status</c>, <c>gone</c> or <c>lost</c>.</param>
/// <param name="Response">The first 16 KiB of the answer's body as text, for callers with <c>data:read</c>.</param>
public sealed record DeliveryAttempt(
    short Attempt,
    DateTime At,
    [property: Range(100, 999)] short? Status,
    [property: MaxLength(63)] string? Error,
    int? DurationMs,
    [property: MaxLength(16_384)] string? Response
);

/// <summary>A delivery in the hands of a sender, with the event it tells of.</summary>
/// <param name="Attempt">1 for the first.</param>
/// <param name="Timestamp">The event's time, or when it was received.</param>
/// <param name="Data">JSON text as it was received.</param>
/// <param name="DataBase64">Binary data, where the event carries that instead.</param>
internal sealed record TakenDelivery(
    Guid Id,
    long Sequence,
    short Attempt,
    DateTime CreatedAt,
    string EventId,
    string Type,
    string Source,
    string? Subject,
    DateTime Timestamp,
    string? Data,
    string? DataBase64,
    string? TraceParent
);

/// <summary>An attempt that has ended.</summary>
internal sealed record Attempt(
    TakenDelivery Delivery,
    DateTime At,
    int? Status,
    TimeSpan Duration,
    byte[] Response,
    Verdict Verdict
);
