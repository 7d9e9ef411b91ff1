using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using Dapper;

namespace Bellhop.Features.Jobs;

/// <summary>Enqueues what callers ask for, each job with its own answer, all of them in one statement.</summary>
internal sealed class EnqueuedJobs(
    UnitOfWork works,
    JobRules rules,
    JobKinds kinds,
    QueueSignals signals,
    Caller caller,
    TimeProvider clock
)
{
    /// <returns>Of each document the job's id, or what is wrong with it; in their order.</returns>
    /// <param name="isAtomic">Whether one that is wrong keeps all of them out.</param>
    public async Task<IReadOnlyList<Result<Guid>>> EnqueueAsync(
        IReadOnlyList<Result<JobDocument>> documents,
        bool isAtomic,
        CancellationToken cancellationToken
    )
    {
        // one statement stores all there are; only what it then left out could make some of it too much
        await using var work =
            isAtomic && documents.Count > 1
                ? await works.BeginAsync(cancellationToken)
                : await works.OpenAsync(cancellationToken);
        var results = documents.Select(Check).ToArray();
        await CheckTargetsAsync(work, documents, results, cancellationToken);
        var sound = Enumerable.Range(0, results.Length).Where(index => results[index].Problem is null).ToArray();
        if (sound.Length == 0 || (isAtomic && sound.Length < results.Length))
        {
            return results;
        }

        var jobs = Array.ConvertAll(
            sound,
            index => documents[index].Unwrap().ToJob(caller.ProjectId, results[index].Unwrap())
        );
        var stored = (await JobQueue.EnqueueAsync(work.Connection, jobs, cancellationToken)).ToHashSet();
        foreach (var index in sound.Where(index => !stored.Contains(results[index].Unwrap())))
        {
            results[index] = UnknownQueue(documents[index].Unwrap()); // deleted since it was looked for
        }

        if (isAtomic && stored.Count < jobs.Length)
        {
            return results;
        }

        work.AfterCommit(signals.Raise);
        await work.CommitAsync(cancellationToken);
        return results;
    }

    private Result<Guid> Check(Result<JobDocument> document)
    {
        if (document.Problem is { } malformed)
        {
            return malformed;
        }

        var problem =
            ValidationProblem.Of(rules.Validate(document.Unwrap()))
            ?? JobRules.CheckSize(document.Unwrap())
            ?? CheckReach(document.Unwrap());
        return problem is null ? Guid.CreateVersion7(clock.GetUtcNow()) : problem;
    }

    private Problem? CheckReach(JobDocument document)
    {
        var only = caller.Access.Excludes(new Traced(document.Queue), caller.Id);
        if (only is null && kinds.IsReached(document.Kind!, caller.Access))
        {
            return null;
        }

        var (member, why) = only is null ? ("/kind", "no jobs that may name any connection") : ("/queue", only);
        var message = $"What proves the caller is narrowed: {why}.";
        return Problems.Forbidden.Because(message, FieldError.At(member, "out_of_reach", message));
    }

    /// <summary>A kind the service does not execute, or keeps to itself, is right only on a queue of remote workers.</summary>
    private async Task CheckTargetsAsync(
        Work work,
        IReadOnlyList<Result<JobDocument>> documents,
        Result<Guid>[] results,
        CancellationToken cancellationToken
    )
    {
        // one alone of a kind that is open needs no look: the insert finds its queue, or leaves the job out
        var doubtful = Enumerable
            .Range(0, results.Length)
            .Where(index =>
                results[index].Problem is null && (results.Length > 1 || !kinds.IsOpen(documents[index].Unwrap().Kind!))
            )
            .ToArray();
        if (doubtful.Length == 0)
        {
            return;
        }

        var queues = (
            await work.Connection.QueryAsync<(string Name, bool ServedHere)>(
                Sql.Queues.With(new { caller.ProjectId }, cancellationToken)
            )
        ).ToDictionary(queue => queue.Name, queue => queue.ServedHere);
        foreach (var index in doubtful)
        {
            var document = documents[index].Unwrap();
            if (!queues.TryGetValue(document.Queue!, out var servedHere))
            {
                results[index] = UnknownQueue(document);
            }
            else if (servedHere && !kinds.IsOpen(document.Kind!))
            {
                results[index] = UnknownKind(document);
            }
        }
    }

    private static Problem UnknownQueue(JobDocument document) =>
        JobProblems.UnknownQueue.Because(
            $"There is no queue {document.Queue}.",
            FieldError.At("/queue", "unknown_queue", "Name a queue of the project.")
        );

    private Problem UnknownKind(JobDocument document) =>
        JobProblems.UnknownKind.Because(
            kinds.TellUnknown(document.Kind!, document.Queue!),
            FieldError.At("/kind", "unknown_kind", "Name a kind the service executes.")
        );

    private static class Sql
    {
        public const string Queues = """
            SELECT name, served_by = 'service' AS served_here
            FROM queues
            WHERE project_id = @ProjectId AND deleted_at IS NULL
            """;
    }
}
