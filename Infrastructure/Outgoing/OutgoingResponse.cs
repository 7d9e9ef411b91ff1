namespace Bellhop.Infrastructure.Outgoing;

/// <summary>What came of a request: a status, an error, or both.</summary>
/// <remarks>
/// Both stand together when the headers arrived and something after them failed: a 3xx, a body that broke off, a
/// deadline that passed inside the body. A receiver that answered 2xx has taken the request in either case, so
/// <see cref="IsSuccessStatus"/> and not the error says whether it should be repeated.
/// </remarks>
public sealed record OutgoingResponse
{
    /// <summary>The response's status code, null when no headers arrived.</summary>
    public int? Status { get; init; }

    /// <summary>One of <see cref="OutgoingErrors"/>, null when the exchange was whole.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>Response headers by name, case ignored; a repeated one is joined by a comma. At most 16 KiB.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = NoHeaders;

    /// <summary>Seconds to wait as the receiver asks by Retry-After (a date is counted from now), never negative.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>The body as sent, up to what the request keeps, never decompressed; what arrived before a failure is kept.</summary>
    public byte[] Body { get; init; } = [];

    /// <summary>Whether the body was longer than what is kept. The rest is not read; the connection is closed.</summary>
    public bool BodyTruncated { get; init; }

    /// <summary>Where the time went.</summary>
    public OutgoingPhases Phases { get; init; } = new(null, null, null, null, 0);

    /// <summary>From the call to its end.</summary>
    public TimeSpan Duration => TimeSpan.FromSeconds(Phases.TotalSeconds);

    /// <summary>Whether the status is 200 to 299.</summary>
    public bool IsSuccessStatus => Status is >= 200 and <= 299;

    internal static readonly IReadOnlyDictionary<string, string> NoHeaders = new Dictionary<string, string>();

    /// <summary>Status and error only: a body or header may carry secrets.</summary>
    public override string ToString() => $"{Status?.ToString(provider: null) ?? "no status"} {ErrorCode}".TrimEnd();
}
