using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>A job that was asked for, and is there.</summary>
/// <param name="IsNew">False: its key is held by this one.</param>
internal sealed record EnqueuedJob(Guid Id, string State, bool IsNew);

/// <summary>Enqueues what callers ask for, each job with its own answer: one statement for all of them, where none has a key or a parent.</summary>
internal sealed class EnqueuedJobs(
    UnitOfWork works,
    JobRules rules,
    JobKinds kinds,
    JobChannel channel,
    QueueSignals signals,
    Admission admission,
    JobTargets targets,
    KeyHolders keyHolders,
    Caller caller,
    TimeProvider clock
)
{
    /// <returns>Of each document its job, or what is wrong with it; in their order.</returns>
    /// <param name="isAtomic">Whether one that is wrong keeps all of them out.</param>
    /// <remarks>
    /// Where the database does not answer, the caller is told so in time, and they are not stored any more; with an
    /// <c>Idempotency-Key</c> the caller waits.
    /// </remarks>
    public async Task<IReadOnlyList<Result<EnqueuedJob>>> EnqueueAsync(
        IReadOnlyList<Result<JobDocument>> documents,
        bool isAtomic,
        CancellationToken cancellationToken
    )
    {
        var asked = documents.Select(Ask).ToArray();
        if (asked is [{ Problem: null, HasKey: false, HasEdges: false } alone] && !works.IsShared)
        {
            await EnqueueAloneAsync(alone, cancellationToken);
            return ToResults(asked);
        }

        return await works.TryAsync(token => EnqueueAsync(asked, isAtomic, token), cancellationToken);
    }

    private async Task<IReadOnlyList<Result<EnqueuedJob>>> EnqueueAsync(
        AskedJob[] asked,
        bool isAtomic,
        CancellationToken cancellationToken
    )
    {
        // one statement stores all there are; only what it then left out, keys and parents could make some of it too much
        var isOne = !(isAtomic && asked.Length > 1) && !asked.Any(one => one.HasKey || one.HasEdges);
        await using var work = isOne
            ? await works.OpenAsync(cancellationToken)
            : await works.BeginAsync(cancellationToken);
        if (!isOne)
        {
            await targets.CheckTargetsAsync(work, asked, cancellationToken);
        }

        targets.CheckDepth(asked);
        await WaitForParentsAsync(work, asked, cancellationToken);
        var sound = asked.Where(one => one.Problem is null).ToArray();
        if (sound.Length == 0 || (isAtomic && sound.Length < asked.Length))
        {
            return ToResults(asked);
        }

        await StoreAsync(work, sound, cancellationToken);
        if (isAtomic && asked.Any(one => one.Problem is not null))
        {
            return ToResults(asked);
        }

        work.AfterCommit(() => Tell(sound));
        await work.CommitAsync(cancellationToken);
        return ToResults(asked);
    }

    /// <summary>Stores one job together with those of other callers.</summary>
    private async Task EnqueueAloneAsync(AskedJob one, CancellationToken cancellationToken)
    {
        targets.CheckDepth([one]);
        if (one.Problem is not null)
        {
            return;
        }

        var result = await channel.StoreAsync(one.Job!, cancellationToken);
        one.Problem = result.Problem;
        if (result is { Problem: null } && result.Unwrap() is { } stored)
        {
            (one.Stored, one.Made) = (stored, new EnqueuedJob(stored.Id, JobState.Of(stored.State, null), IsNew: true));
            Tell([one]);
        }
        else if (result.Problem is null)
        {
            await using var work = await works.OpenAsync(cancellationToken);
            await targets.ExplainAsync(work, [one], cancellationToken);
        }
    }

    private static Result<EnqueuedJob>[] ToResults(AskedJob[] asked) =>
        Array.ConvertAll(asked, one => one.Problem is { } problem ? problem : Result.Of(one.Made!));

    private void Tell(AskedJob[] sound)
    {
        foreach (var one in sound.Where(one => one is { Job.Lane: not null, Stored.State: 0 }))
        {
            admission.Look(new Lane(caller.ProjectId, one.Stored!.QueueId, one.Job!.Lane!));
        }

        foreach (
            var queue in sound.Where(one => one.Stored is { State: 1 }).Select(one => one.Stored!.QueueId).Distinct()
        )
        {
            signals.Raise(new QueueRef(caller.ProjectId, queue));
        }
    }

    private AskedJob Ask(Result<JobDocument> document)
    {
        if (document.Problem is { } malformed)
        {
            return new AskedJob(null, null) { Problem = malformed };
        }

        var asked = document.Unwrap();
        var problem =
            ValidationProblem.Of(rules.Validate(asked))
            ?? JobRules.CheckSize(asked)
            ?? targets.CheckKind(asked)
            ?? targets.CheckReach(asked);
        return problem is null
            ? new AskedJob(
                asked,
                asked.ToJob(caller.ProjectId, Guid.CreateVersion7(clock.GetUtcNow())) with
                {
                    IsForWorkers = !kinds.IsOpen(asked.Kind!),
                }
            )
            : new AskedJob(asked, null) { Problem = problem };
    }

    private async Task StoreAsync(Work work, AskedJob[] sound, CancellationToken cancellationToken)
    {
        var jobs = Array.ConvertAll(sound, one => one.Job!);
        var keyed = jobs.Where(job => job.Unique is not null).ToArray();
        await using var batch = new NpgsqlBatch(work.Connection);
        if (keyed.Length > 0)
        {
            batch.BatchCommands.Add(JobKeys.Take(keyed));
        }

        batch.BatchCommands.Add(JobQueue.Insert(jobs));
        IReadOnlyDictionary<string, Guid> holders = new Dictionary<string, Guid>();
        Dictionary<Guid, StoredJob> stored;
        await using (var reader = await batch.ExecuteReaderAsync(cancellationToken))
        {
            if (keyed.Length > 0)
            {
                holders = await JobKeys.ReadAsync(reader, cancellationToken);
                await reader.NextResultAsync(cancellationToken);
            }

            stored = (await JobQueue.ReadAsync(reader, jobs, cancellationToken)).ToDictionary(job => job.Id);
        }

        foreach (var one in sound)
        {
            one.Stored = stored.GetValueOrDefault(one.Job!.Id);
            if (one.Stored is { } made)
            {
                one.Made = new EnqueuedJob(made.Id, JobState.Of(made.State, null), IsNew: true);
            }
        }

        await targets.ExplainAsync(
            work,
            [.. sound.Where(one => one.Made is null && !IsHeld(one.Job!))],
            cancellationToken
        );
        var free = await keyHolders.MeetAsync(
            work,
            [.. sound.Where(one => one is { Made: null, Problem: null })],
            holders,
            cancellationToken
        );
        if (free.Length > 0)
        {
            await StoreAsync(work, free, cancellationToken);
        }

        await AddEdgesAsync(
            work,
            [.. sound.Except(free).Where(one => one is { HasEdges: true, Stored: not null })],
            cancellationToken
        );

        bool IsHeld(NewJob job) => job.Unique is not null && holders.ContainsKey(job.Unique.Key!);
    }

    /// <summary>Looks at the jobs that jobs are to wait for, and says what keeps each of these back.</summary>
    private async Task WaitForParentsAsync(Work work, AskedJob[] asked, CancellationToken cancellationToken)
    {
        if (!asked.Any(one => one is { HasEdges: true, Problem: null }))
        {
            return;
        }

        var ids = asked.SelectMany(one => one.ParentIds).ToHashSet();
        var blocked = asked.SelectMany(one => one.Blocked).ToHashSet();
        var parents = await JobParents.LockAsync(work.Connection, caller, ids, blocked, cancellationToken);
        var held = await JobParents.LockHeldAsync(work.Connection, caller, blocked, cancellationToken);
        Judge();
        if (await JobRings.RefuseAsync(work.Connection, caller.ProjectId, asked, cancellationToken))
        {
            Judge(); // some may wait for one that was refused
        }

        void Judge()
        {
            for (var place = 0; place < asked.Length; place++)
            {
                if (asked[place] is { HasEdges: true, Problem: null } one)
                {
                    one.Problem = one.WaitFor(asked.AsSpan(0, place), parents, held);
                }
            }
        }
    }

    private Task AddEdgesAsync(Work work, AskedJob[] stored, CancellationToken cancellationToken)
    {
        var edges = stored
            .SelectMany(one =>
                one.Parents.Select(parent => (parent.Id, one.Job!.Id, parent.IsBroken))
                    .Concat(one.Blocked.Select(child => (one.Job!.Id, child, false)))
            )
            .ToArray();
        return edges.Length == 0
            ? Task.CompletedTask
            : JobParents.AddAsync(work.Connection, caller.ProjectId, edges, cancellationToken);
    }
}
