using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Events;

/// <summary>What became of one event of a batch.</summary>
/// <param name="Index">Its place in the request, from 0.</param>
/// <param name="Id">The event's id; of a duplicate the first one's; null when nothing was stored.</param>
/// <param name="Status"><c>accepted</c>, <c>duplicate</c>, <c>conflict</c> or <c>rejected</c>.</param>
public sealed record PublishedEvent(
    [property: Range(0, EventBatchReader.MaxEvents - 1)] int Index,
    Guid? Id,
    [property: AllowedValues("accepted", "duplicate", "conflict", "rejected")] string Status,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] PublishFault? Error
)
{
    internal static PublishedEvent Rejected(int index, Problem problem) =>
        new(index, null, "rejected", PublishFault.Of(problem));

    internal static PublishedEvent Of(int index, AppendedEvent appended) =>
        appended.Status switch
        {
            EventStatus.Accepted => new(index, appended.Id, "accepted", null),
            EventStatus.Duplicate => new(index, appended.Id, "duplicate", null),
            EventStatus.Conflict => new(index, null, "conflict", PublishFault.Of(appended.Problem!)),
            _ => Rejected(index, appended.Problem!),
        };
}

/// <summary>Why an event of a batch was not taken: what the problem would have been, had it come alone.</summary>
public sealed record PublishFault(
    [property: MaxLength(63)] string Code,
    [property: MaxLength(65_536)] string Detail,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(10_000)]
        IReadOnlyList<FieldError>? Errors
)
{
    internal static PublishFault Of(Problem problem) =>
        new(problem.Kind.Code, problem.Detail, problem.Errors.Count == 0 ? null : problem.Errors);
}
