using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary>A step of a run as it is shown.</summary>
/// <param name="State"><c>succeeded</c>, <c>skipped</c>, <c>waiting</c> or <c>failed</c>.</param>
/// <param name="JobId">The job it enqueued.</param>
public sealed record TakenStep(
    [property: MaxLength(63)] string Id,
    [property: AllowedValues("succeeded", "skipped", "waiting", "failed")] string State,
    [property: AnyObject] JsonElement? Error,
    Guid? JobId,
    DateTime StartedAt,
    DateTime? FinishedAt
)
{
    /// <summary>What steps after it see; left out for callers without <c>data:read</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Output { get; init; }
}
