using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using Dapper;

namespace Bellhop.Features.Jobs;

/// <summary>Does something to many jobs of a project, at most a thousand in a transaction, so that claims never wait long for it.</summary>
/// <remarks>
/// A dry run counts by the very condition that the action picks by. A client repeats the request until nothing is left; one that
/// goes away has stopped it. Jobs that the caller does not see, and the service's own, are never picked.
/// </remarks>
internal sealed class JobSelection(
    UnitOfWork works,
    JobKinds kinds,
    AuditTrail trail,
    QueueSignals signals,
    Caller caller
)
{
    private static readonly JobsActionRules Rules = new();

    /// <param name="name">As it stands in records: <c>bulk-cancel</c>.</param>
    /// <param name="picks">Which jobs the action is for.</param>
    /// <param name="act">Does it to these; answers to which it could not.</param>
    public Task<Result<JobsReport>> TakeAsync(
        JobsAction action,
        string name,
        JobPick picks,
        Func<Work, Guid[], Task<IReadOnlyList<RefusedJob>>> act,
        CancellationToken cancellationToken
    ) => works.TryAsync(token => TryTakeAsync(action, name, picks, act, token), cancellationToken);

    private async Task<Result<JobsReport>> TryTakeAsync(
        JobsAction action,
        string name,
        JobPick picks,
        Func<Work, Guid[], Task<IReadOnlyList<RefusedJob>>> act,
        CancellationToken cancellationToken
    )
    {
        if ((ValidationProblem.Of(Rules.Validate(action)) ?? CheckState(action.Filter!.State, picks)) is { } unsound)
        {
            return unsound;
        }

        await using var work = await works.BeginAsync(cancellationToken);
        var filter = action.Filter!;
        var arguments = new
        {
            caller.ProjectId,
            caller.ReachQueues,
            Internal = kinds.Internal,
            Closed = picks == JobPick.Retriable ? kinds.ClosedTo(caller.Access) : [],
            Ids = filter.Ids?.ToArray(),
            State = State(filter.State),
            filter.Queue,
            filter.Kind,
            filter.Tag,
            filter.Lane,
            filter.ErrorCode,
            From = filter.CreatedFrom is { } from ? IdBounds.At(from) : Guid.Empty,
            Until = filter.CreatedBefore is { } before ? IdBounds.At(before) : Guid.AllBitsSet,
            action.After,
            Take = action.DryRun ? JobsReport.MaxCount : action.Limit + 1,
        };
        if (action.DryRun)
        {
            var count = Count(picks).With(arguments, cancellationToken);
            return JobsReport.Counted(await work.Connection.QuerySingleAsync<int>(count));
        }

        var found = (await work.Connection.QueryAsync<Guid>(Pick(picks).With(arguments, cancellationToken))).AsList();
        var ids = found.Take(action.Limit).ToArray();
        var refused = ids.Length == 0 ? [] : await act(work, ids);
        var report = new JobsReport(
            null,
            false,
            ids.Length - refused.Count,
            found.Count > ids.Length,
            ids.Length == 0 ? null : ids[^1],
            refused
        );
        if (report.Affected > 0)
        {
            var record = new AuditRecord($"jobs.{name}", "jobs", null, null, new { filter, report.Affected });
            await trail.RecordAsync(work.Connection, record, cancellationToken);
            work.AfterCommit(signals.Raise);
        }

        await work.CommitAsync(cancellationToken);
        return report;
    }

    private static Problem? CheckState(string? state, JobPick picks)
    {
        string[] known = picks switch
        {
            JobPick.Unfinished => [.. JobState.Unfinished],
            JobPick.Retriable => [JobState.Failed, JobState.Canceled, JobState.Expired],
            _ => [.. JobState.Finished],
        };
        var message = $"One of {string.Join(", ", known)}.";
        return state is null || known.Contains(state)
            ? null
            : Problems.Invalid.Because(message, FieldError.At("/filter/state", "invalid", message));
    }

    private static short? State(string? word) =>
        word is null ? null
        : JobState.Unfinished.IndexOf(word) is >= 0 and var unfinished ? (short)unfinished
        : (short)JobState.Finished.IndexOf(word);

    private static string Count(JobPick picks) =>
        picks switch
        {
            JobPick.Unfinished => Sql.CountUnfinished,
            JobPick.Retriable => Sql.CountRetriable,
            _ => Sql.CountFinished,
        };

    private static string Pick(JobPick picks) =>
        picks switch
        {
            JobPick.Unfinished => Sql.PickUnfinished,
            JobPick.Retriable => Sql.PickRetriable,
            _ => Sql.PickFinished,
        };

    private static class Sql
    {
        public const string CountUnfinished =
            $"{PlanAsAsked} SELECT count(*)::integer FROM ({Unfinished} LIMIT @Take) AS counted";
        public const string CountRetriable =
            $"{PlanAsAsked} SELECT count(*)::integer FROM ({Retriable} LIMIT @Take) AS counted";
        public const string CountFinished =
            $"{PlanAsAsked} SELECT count(*)::integer FROM ({Deletable} LIMIT @Take) AS counted";
        public const string PickUnfinished = $"{PlanAsAsked} {Unfinished} ORDER BY j.id LIMIT @Take";
        public const string PickRetriable = $"{PlanAsAsked} {Retriable} ORDER BY j.id LIMIT @Take";
        public const string PickFinished = $"{PlanAsAsked} {Deletable} ORDER BY j.id LIMIT @Take";

        // A plan for whatever may be asked reads the whole row of each job, for conditions that nobody gave.
        private const string PlanAsAsked = "SET LOCAL plan_cache_mode = force_custom_plan;";

        // Queues are looked up once and not for each job: a hundred thousand jobs that failed are then counted by their index alone. A
        // name may have been that of several, of which one lives.
        private const string Which = """
            j.project_id = @ProjectId AND j.id >= @From AND j.id < @Until AND (@After::uuid IS NULL OR j.id > @After)
                AND (@Ids::uuid[] IS NULL OR j.id = ANY (@Ids))
                AND (@Queue::text IS NULL OR j.queue_id = ANY (ARRAY (
                    SELECT queue_id FROM queues WHERE project_id = @ProjectId AND name = @Queue
                )))
                AND (@Kind::text IS NULL OR j.kind = @Kind) AND (@Lane::text IS NULL OR j.lane = @Lane)
                AND (@Tag::text IS NULL OR @Tag = ANY (j.tags))
                AND (@ReachQueues::text[] IS NULL OR j.queue_id = ANY (ARRAY (
                    SELECT queue_id FROM queues WHERE project_id = @ProjectId AND name = ANY (@ReachQueues)
                )))
                AND NOT (j.kind = ANY (@Internal::text[]) AND j.queue_id = ANY (ARRAY (
                    SELECT queue_id FROM queues WHERE project_id = @ProjectId AND served_by = 'service'
                )))
                AND j.kind <> ALL (@Closed::text[])
            """;

        private const string Unfinished = $"""
            SELECT j.id
            FROM jobs j
            WHERE {Which} AND (@State::smallint IS NULL OR j.state = @State) AND j.cancel_requested_at IS NULL
                AND @ErrorCode::text IS NULL
            """;

        private const string History = $"""
            SELECT j.id
            FROM job_history j
            WHERE {Which} AND (@State::smallint IS NULL OR j.outcome = @State)
                AND (@ErrorCode::text IS NULL OR j.error ->> 'code' = @ErrorCode)
            """;

        private const string Retriable = History + " AND j.outcome <> 0";

        // what waited for the job, such as a run, may still be about to look how it ended
        private const string Deletable =
            History + " AND (j.continuation IS NULL OR j.finished_at < now() - interval '1 hour')";
    }
}

/// <summary>Which jobs an action is for.</summary>
internal enum JobPick
{
    Unfinished,
    Retriable,
    Finished,
}
