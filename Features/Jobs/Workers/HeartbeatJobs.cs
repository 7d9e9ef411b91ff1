using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Mediation;
using Carter;
using MediatR;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Extends the leases of what a worker executes, and notes how far it is; answers what it is to stop.</summary>
/// <remarks>
/// One statement for all of them, and it writes no index. A lease that ran out is extended all the same while nobody else has claimed
/// the job. Heartbeats are never shed under load.
/// </remarks>
public static class HeartbeatJobs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/heartbeat", Post)
                .RequirePermission(Permissions.JobsWork)
                .WithoutIdempotencyKey()
                .WithBodyLimit(Bulk.MaxBytes)
                .WithName(nameof(HeartbeatJobs))
                .WithTags("Workers")
                .Produces<HeartbeatView>();

        /// <summary>Extend leases</summary>
        public static async Task<IResult> Post(
            Body<HeartbeatDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(body.Value), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(HeartbeatDocument Beat) : IRequest<Result<HeartbeatView>>;

    internal sealed class Handler(Databases databases, WorkerRegistry registry, HeartbeatRules rules, Caller caller)
        : IRequestHandler<Command, Result<HeartbeatView>>
    {
        private const int Usual = 10;
        private const int Soon = 3;

        public async Task<Result<HeartbeatView>> Handle(Command request, CancellationToken cancellationToken)
        {
            if (ValidationProblem.Of(rules.Validate(request.Beat)) is { } problem)
            {
                return problem;
            }

            var beats = request.Beat.Jobs ?? [];
            var directive = await registry.SawAsync(caller.ProjectId, request.Beat.Worker!, null, cancellationToken);
            var jobs =
                beats.Count == 0 ? [] : await ExtendAsync(request.Beat.Worker!.Id!.Value, beats, cancellationToken);
            var next = jobs.Min(job => job.LeaseSeconds / 3) ?? Usual;
            return new HeartbeatView(
                jobs,
                directive,
                jobs.Any(job => job.Status == "cancel") ? Math.Min(next, Soon) : next
            );
        }

        private async Task<BeatView[]> ExtendAsync(
            Guid workerId,
            IReadOnlyList<BeatDocument> beats,
            CancellationToken cancellationToken
        )
        {
            var leases = beats.Select(beat => Lease.Parse(beat.Lease) ?? default).ToArray();
            await using var command = databases.Workers.CreateCommand(Sql.Extend);
            command.Parameters.Add(new("ProjectId", caller.ProjectId));
            command.Parameters.Add(new("WorkerId", workerId));
            command.Parameters.Add(
                new("ReachQueues", NpgsqlDbType.Array | NpgsqlDbType.Text)
                {
                    Value = (object?)caller.ReachQueues ?? DBNull.Value,
                }
            );
            Add(command, "Ids", NpgsqlDbType.Uuid, beats.Select(beat => beat.Id!.Value).ToArray());
            Add(command, "ClaimNos", NpgsqlDbType.Bigint, leases.Select(lease => lease.ClaimNo).ToArray());
            Add(command, "ClaimKeys", NpgsqlDbType.Uuid, leases.Select(lease => lease.ClaimKey).ToArray());
            Add(command, "Progress", NpgsqlDbType.Real, beats.Select(beat => (float?)beat.Progress).ToArray());
            Add(command, "Notes", NpgsqlDbType.Text, beats.Select(beat => beat.Note).ToArray());
            Add(
                command,
                "Checkpoints",
                NpgsqlDbType.Text,
                beats.Select(beat => beat.Checkpoint?.GetRawText()).ToArray()
            );
            var views = beats.Select(beat => new BeatView(beat.Id!.Value, "lost", null)).ToArray();
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                var index = reader.GetInt64(0) - 1;
                views[index] = views[index] with
                {
                    Status = reader.GetString(1),
                    LeaseSeconds = reader.IsDBNull(2) ? null : reader.GetInt16(2),
                };
            }

            return views;
        }

        private static void Add(NpgsqlCommand command, string name, NpgsqlDbType type, object values) =>
            command.Parameters.Add(new(name, NpgsqlDbType.Array | type) { Value = values });
    }

    private static class Sql
    {
        // locked in the order of every end; what is locked is being ended at this moment, and is as it was
        public const string Extend = """
            WITH held AS MATERIALIZED (
                SELECT j.project_id, j.id, j.claim_no, b.position, b.progress, b.note, b.checkpoint, q.lease_seconds,
                    j.claimed_at + make_interval(secs => q.max_run_seconds) < now() AS is_over
                FROM unnest(
                    @Ids::uuid[], @ClaimNos::bigint[], @ClaimKeys::uuid[], @Progress::real[], @Notes::text[], @Checkpoints::text[]
                ) WITH ORDINALITY AS b(id, claim_no, claim_key, progress, note, checkpoint, position)
                JOIN jobs j ON j.project_id = @ProjectId AND j.id = b.id
                JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
                WHERE j.claim_no = b.claim_no AND j.claim_key = b.claim_key AND j.worker_id = @WorkerId
                    AND j.lease_until IS NOT NULL AND (@ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues))
                ORDER BY j.project_id, j.id
                FOR UPDATE OF j
            ),
            extended AS (
                UPDATE jobs j
                SET lease_until = CASE WHEN h.is_over THEN j.lease_until ELSE now() + make_interval(secs => h.lease_seconds) END,
                    progress = COALESCE(h.progress, j.progress), note = COALESCE(h.note, j.note),
                    checkpoint = COALESCE(h.checkpoint::json, j.checkpoint)
                FROM held h
                WHERE j.project_id = h.project_id AND j.id = h.id AND j.claim_no = h.claim_no
                RETURNING h.position, h.is_over, h.lease_seconds, j.cancel_requested_at IS NOT NULL AS is_canceled
            )
            SELECT position, CASE WHEN is_over THEN 'deadline' WHEN is_canceled THEN 'cancel' ELSE 'ok' END,
                CASE WHEN is_over THEN NULL ELSE lease_seconds END
            FROM extended
            """;
    }
}
