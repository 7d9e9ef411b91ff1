using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Webhooks;

/// <summary>Enqueues the jobs that send: one for an endpoint that has something due, never two.</summary>
internal sealed class SenderJobs(
    NpgsqlDataSource database,
    QueueSignals queues,
    Notifications notifications,
    TimeProvider clock
)
{
    public const string Kind = "webhooks.send";

    /// <summary>What a sender elsewhere listens to, followed by its endpoint's id.</summary>
    public const string Topic = "webhooks/";

    /// <summary>Enqueues a sender for each; where there is one already it is told to look again, wherever it runs.</summary>
    public async Task StartAsync(
        IReadOnlyCollection<(Guid ProjectId, Guid EndpointId)> endpoints,
        CancellationToken cancellationToken
    )
    {
        if (endpoints.Count == 0)
        {
            return;
        }

        var jobs = endpoints.Select(ToJob).ToArray();
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var started = (await JobQueue.EnqueueAsync(connection, jobs, cancellationToken))
            .Select(job => job.Id)
            .ToHashSet();
        if (started.Count > 0)
        {
            queues.Raise();
        }

        foreach (var job in jobs.Where(job => !started.Contains(job.Id)))
        {
            notifications.Send($"{Topic}{job.OneOf}");
        }
    }

    /// <summary>Looks for what is due and has no sender: at one endpoint, or at all of them.</summary>
    /// <returns>How many endpoints had something due.</returns>
    /// <remarks>
    /// A sender that ends calls it after its end has committed. An accept that saw the job alive had committed its delivery
    /// before; this look is younger than the end, so it sees that delivery. Looking before the end would lose it.
    /// </remarks>
    public async Task<int> StartDueAsync(Guid? projectId, Guid? endpointId, CancellationToken cancellationToken)
    {
        (Guid, Guid)[] due;
        await using (var connection = await database.OpenConnectionAsync(cancellationToken))
        {
            due =
            [
                .. await connection.QueryAsync<(Guid, Guid)>(
                    Sql.FindDue.With(
                        new
                        {
                            ProjectId = projectId,
                            EndpointId = endpointId,
                            Floor = DeliveryLedger.Floor(clock),
                        },
                        cancellationToken
                    )
                ),
            ];
        }

        await StartAsync(due, cancellationToken);
        return due.Length;
    }

    /// <summary>The endpoint that a sender job serves.</summary>
    public static Guid EndpointOf(ClaimedJob job) =>
        JsonSerializer.Deserialize<SenderArgs>(job.Args, JsonRules.Options)!.EndpointId;

    private NewJob ToJob((Guid ProjectId, Guid EndpointId) endpoint) =>
        new()
        {
            ProjectId = endpoint.ProjectId,
            Id = Guid.CreateVersion7(clock.GetUtcNow()),
            Queue = JobQueue.Webhooks,
            Kind = Kind,
            Args = JsonSerializer.Serialize(new SenderArgs(endpoint.EndpointId), JsonRules.Options),
            OneOf = endpoint.EndpointId,
        };

    private sealed record SenderArgs(Guid EndpointId);

    private static class Sql
    {
        // engine-wide when both are null: the duty looks at every project's endpoints
        public const string FindDue = """
            SELECT e.project_id, e.id
            FROM webhook_endpoints e
            CROSS JOIN LATERAL (
                SELECT true
                FROM deliveries d
                WHERE d.project_id = e.project_id AND d.endpoint_id = e.id
                    AND d.id >= @Floor
                    AND d.state IN ('pending', 'sending')
                    AND (d.next_attempt_at <= now() OR e.state <> 'active') -- a sender ends what is not to be sent any more
                LIMIT 1
            ) AS due
            WHERE (@ProjectId::uuid IS NULL OR e.project_id = @ProjectId)
                AND (@EndpointId::uuid IS NULL OR e.id = @EndpointId)
                AND NOT EXISTS (
                    SELECT FROM jobs j
                    WHERE j.project_id = e.project_id AND j.kind = 'webhooks.send' AND j.one_of = e.id
                )
            """;
    }
}
