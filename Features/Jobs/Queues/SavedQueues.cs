using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Mediation;
using Dapper;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Saves queues. Whoever claims looks at them each time: a change holds for what is claimed after the answer.</summary>
/// <remarks>
/// With a new rate the queue begins anew: it starts at most what that rate allows, and waits no longer than it says for what the old one
/// started. Jobs for which a change makes room in their lane are let in after the commit.
/// </remarks>
internal sealed class SavedQueues(
    UnitOfWork works,
    QueueRules rules,
    QueueSignals signals,
    Admission admission,
    Caller caller,
    AuditTrail audit,
    TimeProvider clock
) : ConfigurationStore<QueueDocument, QueueView>(works, caller, audit)
{
    protected override string Noun => "queue";

    protected override string Collection => "queues";

    /// <summary>Lets no more of its jobs be started, or lets them again. Where it is so already nothing happens.</summary>
    public async Task<Result<QueueView>> SetPausedAsync(
        NameOrId which,
        bool isPaused,
        CancellationToken cancellationToken
    )
    {
        await using var work = await Works.BeginAsync(cancellationToken);
        if (await LockAsync(work, which, cancellationToken) is not { } stored || !IsReached(stored))
        {
            return Missing(which);
        }

        if (stored.View.PausedAt is not null == isPaused)
        {
            return stored.View;
        }

        var now = clock.GetUtcNow().UtcDateTime;
        var arguments = new
        {
            ProjectId,
            stored.View.Id,
            PausedAt = isPaused ? now : (DateTime?)null,
            Now = now,
        };
        var queueId = await work.Connection.QuerySingleAsync<long>(Sql.Pause.With(arguments, cancellationToken));
        var view = stored.View with
        {
            PausedAt = arguments.PausedAt,
            UpdatedAt = now,
            Revision = stored.View.Revision + 1,
        };
        await Audit.RecordAsync(
            work.Connection,
            new AuditRecord(isPaused ? "queues.pause" : "queues.resume", $"queues/{view.Name}", view.Id),
            cancellationToken
        );
        work.AfterCommit(signals.Raise);
        // named: who claims looks into it at once, however long a look at all queues takes
        work.AfterCommit(() =>
        {
            if (isPaused)
            {
                signals.RaisePaused(queueId);
            }
            else
            {
                signals.Raise(new QueueRef(ProjectId, queueId));
            }
        });

        await work.CommitAsync(cancellationToken);
        return view;
    }

    protected override Traced Trace(QueueDocument document, Guid? ownerId) => new(Queue: document.Name);

    protected override async Task<Stored<QueueDocument, QueueView>?> LockAsync(
        Work work,
        NameOrId which,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleOrDefaultAsync<QueueRow>(
            Sql.Lock.With(
                new
                {
                    ProjectId,
                    which.Id,
                    which.Name,
                },
                cancellationToken
            )
        );
        return row?.ToView() is { } view ? new Stored<QueueDocument, QueueView>(view, view.ToDocument()) : null;
    }

    protected override async ValueTask<Problem?> CheckAsync(
        Work work,
        QueueDocument document,
        Stored<QueueDocument, QueueView>? stored,
        CancellationToken cancellationToken
    )
    {
        if (ValidationProblem.Of(rules.Validate(document)) is { } problem)
        {
            return problem;
        }

        // a kind that workers know may be none of the service's
        if (
            stored is null
            || (document.ServedBy ?? QueueServer.Of(document.Name!)) == stored.View.ServedBy
            || !await HasUnfinishedAsync(work, stored.View, cancellationToken)
        )
        {
            return null;
        }

        const string Message = "served_by stays while the queue has unfinished jobs.";
        return QueueProblems.NotEmpty.Because(Message, FieldError.At("/served_by", "not_empty", Message));
    }

    protected override async Task<QueueView?> InsertAsync(
        Work work,
        QueueDocument document,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleOrDefaultAsync<QueueRow>(
            Sql.Insert.With(ToArguments(null, 1, document), cancellationToken)
        );
        return row?.ToView();
    }

    protected override async Task<QueueView> UpdateAsync(
        Work work,
        Stored<QueueDocument, QueueView> stored,
        QueueDocument document,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleAsync<QueueRow>(
            Sql.Update.With(ToArguments(stored.View.Id, stored.View.Revision, document), cancellationToken)
        );
        await QueuePace.SetAsync(work, ProjectId, stored.View.Id, document.Rate, cancellationToken);
        work.AfterCommit(signals.Raise); // a limit may be wider
        var queue = new QueueRef(ProjectId, row.QueueId);
        work.AfterCommit(() => admission.Look(queue));
        return row.ToView();
    }

    protected override async Task<Problem?> RemoveAsync(
        Work work,
        Stored<QueueDocument, QueueView> stored,
        CancellationToken cancellationToken
    )
    {
        if (stored.View.BuiltIn)
        {
            return QueueProblems.BuiltIn.Because($"Every project has the queue {stored.View.Name}: it stays.");
        }

        if (await HasUnfinishedAsync(work, stored.View, cancellationToken))
        {
            return QueueProblems.NotEmpty.Because(
                $"The queue {stored.View.Name} has unfinished jobs: let them end, or cancel them."
            );
        }

        var arguments = new
        {
            ProjectId,
            stored.View.Id,
            Now = clock.GetUtcNow().UtcDateTime,
        };
        await work.Connection.ExecuteAsync(Sql.Delete.With(arguments, cancellationToken));
        return null;
    }

    /// <summary>To be asked under the lock: whoever enqueues holds the row too, and has committed, or will find it as it is then.</summary>
    private Task<bool> HasUnfinishedAsync(Work work, QueueView queue, CancellationToken cancellationToken) =>
        work.Connection.QuerySingleAsync<bool>(Sql.HasUnfinished.With(new { ProjectId, queue.Id }, cancellationToken));

    /// <param name="known">Null: a new id, of the very moment that is stored, since lists are bounded by the one and show the other.</param>
    private object ToArguments(Guid? known, int revision, QueueDocument document)
    {
        var now = clock.GetUtcNow();
        var retry = document.Retry ?? BuiltInQueues.RetryOf(document.Name!);
        var isOrdered = document.LaneOrdered == true;
        return new
        {
            ProjectId,
            Id = known ?? Guid.CreateVersion7(now),
            Revision = revision,
            document.Name,
            ServedBy = document.ServedBy ?? QueueServer.Of(document.Name!),
            document.MaxRunning,
            RateCount = document.Rate?.Count,
            RateSeconds = document.Rate?.Seconds,
            RateBurst = document.Rate is { } rate ? rate.Burst ?? 1 : (int?)null,
            LaneLimit = isOrdered ? (short)1 : document.LaneLimit,
            LaneOrdered = isOrdered,
            Weight = document.Weight ?? QueueDocument.DefaultWeight,
            document.MaxDepth,
            LeaseSeconds = document.LeaseSeconds ?? QueueDocument.DefaultLeaseSeconds,
            document.MaxRunSeconds,
            Retry = retry.ToJson(),
            MaxAttempts = (short)retry.MaxAttempts,
            Now = now.UtcDateTime,
        };
    }

    private static class Sql
    {
        // FOR UPDATE, which whoever enqueues on the queue waits for
        public const string Lock = """
            SELECT id, name, served_by, paused_at, max_running, rate_count, rate_seconds, rate_burst, lane_limit, lane_ordered,
                weight, max_depth, lease_seconds, max_run_seconds, retry::text AS retry, revision, created_at, updated_at
            FROM queues
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
            FOR UPDATE
            """;

        // One probe of an index for each way of being unfinished, in the index's order: EXISTS would leave the planner to read the
        // whole table for a queue that has none.
        public const string HasUnfinished = """
            SELECT COALESCE(
                (
                    SELECT true
                    FROM jobs j
                    WHERE j.project_id = q.project_id AND j.queue_id = q.queue_id AND j.state = 1
                    ORDER BY j.priority, j.run_at
                    LIMIT 1
                ),
                (SELECT true FROM jobs j WHERE j.project_id = q.project_id AND j.queue_id = q.queue_id AND j.state = 2 LIMIT 1),
                (
                    SELECT true
                    FROM jobs j
                    WHERE j.project_id = q.project_id AND j.queue_id = q.queue_id AND j.state = 0 AND j.wait_reason = 1
                    ORDER BY j.lane
                    LIMIT 1
                ),
                (
                    SELECT true
                    FROM jobs j
                    WHERE j.project_id = q.project_id AND j.queue_id = q.queue_id AND j.state = 0 AND j.wait_reason > 1
                    ORDER BY j.wait_reason
                    LIMIT 1
                ),
                false
            )
            FROM queues q
            WHERE q.project_id = @ProjectId AND q.id = @Id
            """;

        public const string Insert = """
            INSERT INTO queues (
                project_id, id, name, served_by, max_running, rate_count, rate_seconds, rate_burst, lane_limit, lane_ordered, weight,
                max_depth, lease_seconds, max_run_seconds, retry, max_attempts, revision, created_at, updated_at
            )
            VALUES (
                @ProjectId, @Id, @Name, @ServedBy, @MaxRunning, @RateCount, @RateSeconds, @RateBurst, @LaneLimit, @LaneOrdered,
                @Weight, @MaxDepth, @LeaseSeconds, @MaxRunSeconds, @Retry::json, @MaxAttempts, @Revision, @Now, @Now
            )
            ON CONFLICT (project_id, name) WHERE deleted_at IS NULL DO NOTHING
            RETURNING id, name, served_by, paused_at, max_running, rate_count, rate_seconds, rate_burst, lane_limit, lane_ordered,
                weight, max_depth, lease_seconds, max_run_seconds, retry::text AS retry, revision, created_at, updated_at
            """;

        public const string Update = """
            UPDATE queues
            SET served_by = @ServedBy, max_running = @MaxRunning, rate_count = @RateCount, rate_seconds = @RateSeconds,
                rate_burst = @RateBurst, lane_limit = @LaneLimit, lane_ordered = @LaneOrdered, weight = @Weight,
                max_depth = @MaxDepth, lease_seconds = @LeaseSeconds, max_run_seconds = @MaxRunSeconds, retry = @Retry::json,
                max_attempts = @MaxAttempts, revision = revision + 1, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id AND revision = @Revision
            RETURNING queue_id, id, name, served_by, paused_at, max_running, rate_count, rate_seconds, rate_burst, lane_limit, lane_ordered,
                weight, max_depth, lease_seconds, max_run_seconds, retry::text AS retry, revision, created_at, updated_at
            """;

        public const string Pause = """
            UPDATE queues
            SET paused_at = @PausedAt, revision = revision + 1, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id AND (paused_at IS NULL) = (@PausedAt::timestamptz IS NOT NULL)
            RETURNING queue_id
            """;

        public const string Delete = """
            UPDATE queues
            SET deleted_at = @Now, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id
            """;
    }
}
