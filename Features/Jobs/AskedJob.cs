using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs;

/// <summary>A job that is asked for, on its way to be stored or refused.</summary>
internal sealed class AskedJob(JobDocument? document, NewJob? job)
{
    public JobDocument? Document { get; } = document;

    public NewJob? Job { get; private set; } = job;

    public Problem? Problem { get; set; }

    public StoredJob? Stored { get; set; }

    public EnqueuedJob? Made { get; set; }

    public bool HasKey => Job?.Unique is not null;

    public bool HasEdges =>
        Job is not null && (Document!.DependsOn is { Count: > 0 } || Document.Blocks is { Count: > 0 });

    /// <summary>The jobs it names by their ids.</summary>
    public IEnumerable<Guid> ParentIds =>
        Job is null
            ? []
            : (Document!.DependsOn ?? []).Where(parent => JobRules.PlaceOf(parent) is null).Select(Guid.Parse);

    public IEnumerable<Guid> Blocked => Job is null ? [] : Document!.Blocks ?? [];

    /// <summary>What it waits for, once that is known.</summary>
    public IReadOnlyList<(Guid Id, bool IsBroken)> Parents { get; private set; } = [];

    /// <summary>Those of them that have not ended.</summary>
    public IEnumerable<Guid> Unfinished => Parents.Where(parent => !parent.IsBroken).Select(parent => parent.Id);

    /// <summary>Finds what it waits for, or says why it cannot.</summary>
    /// <param name="before">Those before it in the request.</param>
    /// <param name="known">Of each job of the project that was asked for: how it ended, null while it is unfinished.</param>
    /// <param name="held">Those of the jobs it blocks that are held.</param>
    public Problem? WaitFor(ReadOnlySpan<AskedJob> before, Dictionary<Guid, short?> known, HashSet<Guid> held)
    {
        var parents = new List<(Guid, bool)>();
        for (var index = 0; index < (Document!.DependsOn?.Count ?? 0); index++)
        {
            var (id, outcome, problem) = Find(Document.DependsOn![index], $"/depends_on/{index}", before, known);
            if (problem is not null)
            {
                return problem;
            }

            if (outcome is null || !IsMet(outcome.Value))
            {
                parents.Add((id, outcome is not null));
            }

            if (outcome is { } end && !IsMet(end) && !Job!.IsPatient)
            {
                return JobProblems.ParentFailed.Because(
                    $"The job {id} has {JobState.Finished[end]}.",
                    FieldError.At(
                        $"/depends_on/{index}",
                        "parent_failed",
                        "Name a job that can still end as it is needed."
                    )
                );
            }
        }

        for (var index = 0; index < (Document.Blocks?.Count ?? 0); index++)
        {
            if (!held.Contains(Document.Blocks![index]))
            {
                return JobProblems.NotHeld.Because(
                    $"There is no held job {Document.Blocks[index]}.",
                    FieldError.At($"/blocks/{index}", "not_held", "Name a job that is held; others may have begun.")
                );
            }
        }

        Parents = [.. parents.Distinct()];
        if (Parents.Count > 0 && Job!.HeldBack == HeldBack.Nothing)
        {
            Job = Job with { HeldBack = HeldBack.OtherJobs };
        }

        return null;
    }

    private static (Guid Id, short? Outcome, Problem? Problem) Find(
        string reference,
        string pointer,
        ReadOnlySpan<AskedJob> before,
        Dictionary<Guid, short?> known
    )
    {
        if (JobRules.PlaceOf(reference) is not { } place)
        {
            var id = Guid.Parse(reference);
            return known.TryGetValue(id, out var outcome)
                ? (id, outcome, null)
                : (id, null, Unknown(pointer, $"There is no job {id} in this project."));
        }

        if (place >= before.Length)
        {
            return (
                default,
                null,
                Unknown(pointer, "A place is that of a job before this one in the request, from #0.")
            );
        }

        return before[place] switch
        {
            { Problem: not null } => (default, null, Unknown(pointer, $"The job at {reference} was refused.")),
            { HasKey: true } => (
                default,
                null,
                Unknown(pointer, $"The job at {reference} has a key, and may be another one; name that by its id.")
            ),
            var parent => (parent.Job!.Id, null, null),
        };
    }

    private static Problem Unknown(string pointer, string message) =>
        JobProblems.UnknownJob.Because(message, FieldError.At(pointer, "unknown_job", message));

    private bool IsMet(short outcome) =>
        Job!.Needs switch
        {
            ParentEnds.Any => true,
            ParentEnds.NotSucceeded => outcome != 0,
            _ => outcome == 0,
        };
}
