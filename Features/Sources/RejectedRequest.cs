using System.Text.Json;

namespace Bellhop.Features.Sources;

/// <summary>A refused request as it is shown.</summary>
/// <param name="Reason">One word of a closed set.</param>
/// <param name="Headers">Those that say what it was and how it was signed; no others are kept.</param>
/// <param name="BodyBase64">Its first 64 KiB; null for those who lack <c>data:read</c>.</param>
/// <param name="BodyBytes">How long it was.</param>
/// <param name="AlsoRejected">How many more were refused within the same second, of which nothing else is kept.</param>
public sealed record RejectedRequest(
    Guid Id,
    DateTime RejectedAt,
    string Reason,
    string? Detail,
    JsonElement Headers,
    byte[]? BodyBase64,
    int BodyBytes,
    int AlsoRejected
);

/// <summary>A rejection's row.</summary>
internal sealed record RejectionRow(
    Guid Id,
    DateTime RejectedAt,
    string Reason,
    string? Detail,
    string Headers,
    byte[]? Body,
    int BodyBytes,
    int AlsoRejected
)
{
    public RejectedRequest ToRejected() =>
        new(
            Id,
            RejectedAt,
            Reason,
            Detail,
            JsonSerializer.Deserialize<JsonElement>(Headers),
            Body,
            BodyBytes,
            AlsoRejected
        );
}
