using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Refuses jobs that would wait for themselves by way of others: neither they nor the others would ever run.</summary>
/// <remarks>
/// Whoever is named in <c>depends_on</c> was there before, and so was whoever is blocked: a ring is closed only by a job that both waits
/// and blocks. In a project such jobs are looked at one request after the other until it is committed, so that two which close a ring
/// together do not miss each other. Looked at is what waits for those that are blocked, which usually is nothing or little; what comes
/// before a job may be a batch of any size.
/// </remarks>
internal static class JobRings
{
    /// <summary>Where more than this waits for what is blocked, in pairs, a job that waits itself cannot be put before that.</summary>
    public const int MaxBelow = 10_000;

    /// <summary>To be asked with what is waited for and blocked locked, before anything is stored.</summary>
    /// <returns>Whether there were such jobs; each has its problem.</returns>
    public static async Task<bool> RefuseAsync(
        NpgsqlConnection connection,
        Guid projectId,
        AskedJob[] asked,
        CancellationToken cancellationToken
    )
    {
        var ids = asked.Select(one => one.Job?.Id).ToHashSet();
        var waiting = asked.Where(one => one.Problem is null && one.Unfinished.Any()).ToArray();
        var closing = waiting.Where(one => one.Blocked.Any()).ToArray();
        if (closing.Length == 0 || waiting.All(one => one.Unfinished.All(parent => ids.Contains(parent))))
        {
            return false;
        }

        var blocked = closing.SelectMany(one => one.Blocked).Distinct().ToArray();
        await connection.ExecuteAsync(Sql.TakeTurn.With(new { ProjectId = projectId }, cancellationToken));
        var edges = (
            await connection.QueryAsync<(Guid Parent, Guid Child)>(
                Sql.FindBelow.With(
                    new
                    {
                        ProjectId = projectId,
                        Ids = blocked,
                        Jobs = blocked.Length + MaxBelow + 1,
                        Limit = MaxBelow + 1,
                    },
                    cancellationToken
                )
            )
        ).AsList();
        if (edges.Count > MaxBelow)
        {
            Array.ForEach(closing, one => one.Problem = TooMany());
            return true;
        }

        foreach (var one in waiting)
        {
            edges.AddRange(one.Unfinished.Select(parent => (parent, one.Job!.Id)));
            edges.AddRange(one.Blocked.Select(child => (one.Job!.Id, child)));
        }

        var rings = FindRings(edges);
        var isRefused = false;
        foreach (var one in closing.Where(one => rings.Contains(one.Job!.Id) && one.Unfinished.Any(rings.Contains)))
        {
            var place = one.Blocked.TakeWhile(child => !rings.Contains(child)).Count();
            if (place < one.Blocked.Count())
            {
                one.Problem = Closes(place, one.Blocked.ElementAt(place));
                isRefused = true;
            }
        }

        return isRefused;
    }

    /// <summary>Those that wait for themselves, and those between two such.</summary>
    private static HashSet<Guid> FindRings(List<(Guid Parent, Guid Child)> edges)
    {
        var waiting = Peel(edges);
        return Peel([
            .. edges
                .Where(edge => waiting.Contains(edge.Parent) && waiting.Contains(edge.Child))
                .Select(edge => (edge.Child, edge.Parent)),
        ]);
    }

    /// <summary>Takes away who has nobody before it, and then who is left with nobody before it, to the end.</summary>
    private static HashSet<Guid> Peel(List<(Guid From, Guid To)> edges)
    {
        var after = edges.ToLookup(edge => edge.From, edge => edge.To);
        var before = edges.CountBy(edge => edge.To).ToDictionary();
        var first = new Stack<Guid>(after.Select(from => from.Key).Where(id => !before.ContainsKey(id)));
        while (first.TryPop(out var id))
        {
            foreach (var next in after[id])
            {
                if (--before[next] == 0)
                {
                    before.Remove(next);
                    first.Push(next);
                }
            }
        }

        return [.. before.Keys];
    }

    private static Problem Closes(int place, Guid child) =>
        JobProblems.Cycle.Because(
            $"The job {child} would wait for itself.",
            FieldError.At(
                $"/blocks/{place}",
                "cycle",
                "Name a job that this one does not wait for, by way of others neither."
            )
        );

    private static Problem TooMany() =>
        JobProblems.TooManyChildren.Because(
            $"More than {MaxBelow} jobs wait for those that it blocks, too many to see whether it would wait for itself.",
            FieldError.At("/blocks/0", "too_many_children", "A job that waits for none can be put before any held job.")
        );

    private static class Sql
    {
        public const string TakeTurn =
            "SELECT pg_advisory_xact_lock(hashtextextended('bellhop rings ' || @ProjectId::uuid, 0))";

        // a statement that begins after the turn was taken: it sees what the one before has committed; each step is a look by a key
        public const string FindBelow = """
            WITH RECURSIVE below AS (
                SELECT id FROM unnest(@Ids::uuid[]) AS b(id)
                UNION
                SELECT next.child_id
                FROM below b
                CROSS JOIN LATERAL (
                    SELECT e.child_id
                    FROM job_edges e
                    WHERE e.project_id = @ProjectId AND e.parent_id = b.id AND NOT e.is_broken
                    ORDER BY e.child_id
                    LIMIT @Limit
                ) AS next
            ),
            few AS MATERIALIZED (SELECT id FROM below LIMIT @Jobs)
            SELECT f.id, next.child_id
            FROM few f
            CROSS JOIN LATERAL (
                SELECT e.child_id
                FROM job_edges e
                WHERE e.project_id = @ProjectId AND e.parent_id = f.id AND NOT e.is_broken
                ORDER BY e.child_id
                LIMIT @Limit
            ) AS next
            LIMIT @Limit
            """;
    }
}
