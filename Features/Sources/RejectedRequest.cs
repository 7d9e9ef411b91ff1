using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Http;

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
    [property: MaxLength(63)] string Reason,
    [property: MaxLength(65_536)] string? Detail,
    [property: AnyObject] JsonElement Headers,
    [property: MaxLength(4 * ((Rejections.MaxBodyBytes + 2) / 3))] byte[]? BodyBase64,
    int BodyBytes,
    int AlsoRejected
) : IExampled<RejectedRequest>
{
    public static RejectedRequest Example =>
        new(
            Story.Rejection,
            Story.At,
            Rejection.WrongSignature.Reason,
            Rejection.WrongSignature.Detail,
            Story.Json("""{"Content-Type":["application/json"],"webhook-id":["msg_7"]}"""),
            """{"type":"ticket.created"}"""u8.ToArray(),
            25,
            0
        );
}

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
