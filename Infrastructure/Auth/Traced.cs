namespace Bellhop.Infrastructure.Auth;

/// <summary>What conditions look at. Of what a thing does not have, they say nothing.</summary>
/// <param name="Queue">Of a job.</param>
/// <param name="Tags">Of configuration and what comes of it: the runs of an automation, the deliveries of an endpoint.</param>
/// <param name="OwnerId">The user or key that made it; <see cref="Guid.Empty"/>: none of them. Null: it has no owner.</param>
public readonly record struct Traced(
    string? Queue = null,
    IReadOnlyCollection<string>? Tags = null,
    Guid? OwnerId = null
);

public static class Reach
{
    /// <summary>
    /// The condition that lists and look-ups of what has tags and an owner add to theirs, for columns without an alias. Its
    /// parameters are <see cref="Caller.ReachTags"/> and <see cref="Caller.ReachOwner"/>; where both are null it says nothing.
    /// </summary>
    public const string Rows = """
         AND (@ReachTags::text[] IS NULL OR tags && @ReachTags) AND (@ReachOwner::uuid IS NULL OR owner_id = @ReachOwner)
        """;

    /// <summary>The only value of <see cref="Access.Owner"/>.</summary>
    public const string Self = "self";

    /// <summary>Whether the conditions leave this to a caller with that id.</summary>
    public static bool Reaches(this Access access, Traced traced, Guid? callerId) =>
        access.Excludes(traced, callerId) is null;

    /// <summary>The condition that keeps it from the caller, in words; null: none.</summary>
    public static string? Excludes(this Access access, Traced traced, Guid? callerId)
    {
        if (access.Queues is { } queues && traced.Queue is { } queue && !queues.Contains(queue, StringComparer.Ordinal))
        {
            return $"only jobs of the queues {string.Join(", ", queues)}, and this one's is {queue}";
        }

        if (
            access.Tags is { } wanted
            && traced.Tags is { } tags
            && !tags.Any(tag => wanted.Contains(tag, StringComparer.Ordinal))
        )
        {
            return $"only what is tagged {string.Join(" or ", wanted)}";
        }

        return access.Owner == Self && traced.OwnerId is { } owner && owner != callerId
            ? "only what the caller made"
            : null;
    }
}
