using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Tells workers what to do from here on, and puts it on record.</summary>
internal sealed class DirectedWorkers(UnitOfWork works, AuditTrail audit, Notifications notifications, Caller caller)
{
    /// <returns>The worker as it is afterwards. What it was told before changes nothing, and is not recorded.</returns>
    public async Task<Result<WorkerView>> DirectAsync(
        Guid id,
        string directive,
        string action,
        CancellationToken cancellationToken
    )
    {
        await using var work = await works.BeginAsync(cancellationToken);
        var key = new
        {
            caller.ProjectId,
            caller.ReachQueues,
            Id = id,
            Directive = directive,
        };
        var before = await work.Connection.QuerySingleOrDefaultAsync<string>(Sql.Lock.With(key, cancellationToken));
        if (before is null)
        {
            return Problems.NotFound.Because("There is no such worker in this project.");
        }

        var worker = await work.Connection.QuerySingleAsync<WorkerRow>(Sql.Direct.With(key, cancellationToken));
        if (before != directive)
        {
            await audit.RecordAsync(
                work.Connection,
                new AuditRecord(
                    $"workers.{action}",
                    $"workers/{id}",
                    id,
                    new { Directive = before },
                    new { Directive = directive }
                ),
                cancellationToken
            );
        }

        work.AfterCommit(() => notifications.Send($"{WorkerRegistry.Topic}{id}"));
        await work.CommitAsync(cancellationToken);
        return worker.ToView();
    }

    private static class Sql
    {
        public const string Lock = """
            SELECT directive
            FROM workers
            WHERE project_id = @ProjectId AND id = @Id AND (@ReachQueues::text[] IS NULL OR queues && @ReachQueues)
            FOR UPDATE
            """;

        public const string Direct = """
            UPDATE workers w
            SET directive = @Directive
            WHERE project_id = @ProjectId AND id = @Id
            RETURNING w.key AS id, w.id AS worker_id, w.name, w.version, w.host, w.queues, w.directive, w.first_seen_at, w.last_seen_at, (
                    SELECT count(*)
                    FROM jobs j
                    WHERE j.project_id = @ProjectId AND j.worker_id = w.id AND j.claim_key IS NOT NULL AND j.state = 2
                )::integer AS leases
            """;
    }
}
