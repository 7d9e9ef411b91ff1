using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;

namespace Bellhop.Features.Jobs;

/// <summary>Whether jobs may go where they are to: the queue is there and has room, knows the kind, and the caller reaches both.</summary>
internal sealed class JobTargets(JobKinds kinds, QueueDepths depths, Caller caller)
{
    /// <summary>Says of jobs that were not stored why not.</summary>
    public async Task ExplainAsync(Work work, AskedJob[] left, CancellationToken cancellationToken)
    {
        await CheckTargetsAsync(work, left, cancellationToken);
        foreach (var one in left)
        {
            one.Problem ??= UnknownQueue(one.Document!); // made or deleted since
        }
    }

    /// <summary>Refuses what a queue has no room for, as of the last look.</summary>
    public void CheckDepth(AskedJob[] asked)
    {
        foreach (var one in asked.Where(one => one.Problem is null))
        {
            if (!depths.HasRoom(caller.ProjectId, one.Document!.Queue!))
            {
                one.Problem = JobProblems.QueueFull.Because(
                    $"The queue {one.Document.Queue} holds as many jobs as it may."
                ) with
                {
                    RetryAfterSeconds = 1,
                };
            }
        }
    }

    /// <summary>Null: users may give the kind to jobs, be it of the service or of their workers.</summary>
    public Problem? CheckKind(JobDocument document) =>
        kinds.IsInternal(document.Kind!)
            ? JobProblems.UnknownKind.Because(
                $"The kind {document.Kind} is for the service's own use.",
                FieldError.At("/kind", "unknown_kind", "Take another name, also for jobs of workers.")
            )
            : null;

    /// <summary>Null: what proves the caller may be used for the job's queue and kind.</summary>
    public Problem? CheckReach(JobDocument document)
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
    public async Task CheckTargetsAsync(Work work, AskedJob[] asked, CancellationToken cancellationToken)
    {
        var doubtful = asked.Where(one => one.Problem is null).ToArray();
        if (doubtful.Length == 0)
        {
            return;
        }

        var queues = (
            await work.Connection.QueryAsync<(string Name, bool ServedHere)>(
                Sql.Queues.With(new { caller.ProjectId }, cancellationToken)
            )
        ).ToDictionary(queue => queue.Name, queue => queue.ServedHere);
        foreach (var one in doubtful)
        {
            if (!queues.TryGetValue(one.Document!.Queue!, out var servedHere))
            {
                one.Problem = UnknownQueue(one.Document);
            }
            else if (servedHere && !kinds.IsOpen(one.Document.Kind!))
            {
                one.Problem = UnknownKind(one.Document);
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
