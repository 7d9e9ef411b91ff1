namespace Bellhop.Features.Secrets;

/// <summary>A named secret as it is shown: everything but its value, which nobody ever reads back.</summary>
/// <param name="UpdatedAt">When its value was last replaced.</param>
/// <param name="LastUsedAt">When the service last opened it, to the minute; null: never.</param>
/// <param name="UsedBy">Whose configuration names it, such as <c>connections/crm</c>; as long as there is one, it cannot be deleted.</param>
public sealed record SecretView(
    string Name,
    DateTime CreatedAt,
    DateTime UpdatedAt,
    DateTime? LastUsedAt,
    IReadOnlyList<string> UsedBy
);

/// <summary>A secret's row without its value.</summary>
internal sealed record SecretRow(string Name, DateTime CreatedAt, DateTime UpdatedAt, DateTime? LastUsedAt)
{
    public SecretView ToView(ILookup<string, string> users) =>
        new(Name, CreatedAt, UpdatedAt, LastUsedAt, [.. users[Name].Order(StringComparer.Ordinal)]);
}
