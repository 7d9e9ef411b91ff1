using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Secrets;

/// <summary>A named secret as it is shown: everything but its value, which nobody ever reads back.</summary>
/// <param name="UpdatedAt">When its value was last replaced.</param>
/// <param name="LastUsedAt">When the service last opened it, to the minute; null: never.</param>
/// <param name="UsedBy">Whose configuration names it, such as <c>connections/crm</c>; as long as there is one, it cannot be deleted.</param>
public sealed record SecretView(
    [property: MaxLength(Slug.MaxLength)] string Name,
    DateTime CreatedAt,
    DateTime UpdatedAt,
    DateTime? LastUsedAt,
    [property: MaxLength(10_000), Each(255)] IReadOnlyList<string> UsedBy
) : IExampled<SecretView>
{
    public static SecretView Example => new("crm-token", Story.SetUpAt, Story.SetUpAt, Story.At, ["connections/crm"]);

    /// <summary>What the audit says of a secret: that there is one.</summary>
    internal static object Recorded { get; } = new { value = "***" };
}

/// <summary>A secret's row without its value.</summary>
internal sealed record SecretRow(string Name, DateTime CreatedAt, DateTime UpdatedAt, DateTime? LastUsedAt)
{
    public SecretView ToView(ILookup<string, string> users) =>
        new(Name, CreatedAt, UpdatedAt, LastUsedAt, [.. users[Name].Order(StringComparer.Ordinal)]);
}
