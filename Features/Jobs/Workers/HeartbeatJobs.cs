using System.Globalization;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
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
                .InBucket(RateBucket.Work)
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
        private const int MaxTries = 3;
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
            var views = beats.Select(beat => new BeatView(beat.Id!.Value, "lost", null)).ToArray();
            // rows that somebody wrote at the same moment were found and not reached: the next try sees them as they are now; of a job
            // that was sent twice, one is never reached
            for (var tries = 0; tries < MaxTries; tries++)
            {
                var extending = Outages.RepeatInContentionAsync(() =>
                    TryExtendAsync(workerId, beats, views, cancellationToken)
                );
                if (await extending.WaitPatientlyAsync(cancellationToken) == 0)
                {
                    break;
                }
            }

            return views;
        }

        /// <returns>How many were found and not reached.</returns>
        private async Task<long> TryExtendAsync(
            Guid workerId,
            IReadOnlyList<BeatDocument> beats,
            BeatView[] views,
            CancellationToken cancellationToken
        )
        {
            // in the order in which ends lock
            var places = Enumerable.Range(0, beats.Count).OrderBy(place => beats[place].Id).ToArray();
            var sorted = Array.ConvertAll(places, place => beats[place]);
            var leases = Array.ConvertAll(sorted, beat => Lease.Parse(beat.Lease) ?? default);
            await using var command = databases.Workers.CreateCommand(Sql.Extend);
            command.Parameters.Add(new("ProjectId", caller.ProjectId));
            command.Parameters.Add(new("WorkerId", workerId));
            command.Parameters.Add(
                new("ReachQueues", NpgsqlDbType.Array | NpgsqlDbType.Text)
                {
                    Value = (object?)caller.ReachQueues ?? DBNull.Value,
                }
            );
            Add(command, "Ids", NpgsqlDbType.Uuid, Array.ConvertAll(sorted, beat => beat.Id!.Value));
            Add(command, "ClaimNos", NpgsqlDbType.Bigint, Array.ConvertAll(leases, lease => lease.ClaimNo));
            Add(command, "ClaimKeys", NpgsqlDbType.Uuid, Array.ConvertAll(leases, lease => lease.ClaimKey));
            Add(command, "Progress", NpgsqlDbType.Real, Array.ConvertAll(sorted, beat => (float?)beat.Progress));
            Add(command, "Notes", NpgsqlDbType.Text, Array.ConvertAll(sorted, beat => beat.Note));
            var checkpoints = Array.ConvertAll(sorted, beat => beat.Checkpoint?.GetRawText());
            Add(command, "Checkpoints", NpgsqlDbType.Text, checkpoints);
            Add(command, "Positions", NpgsqlDbType.Integer, places);
            var missed = 0L;
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                if (reader.IsDBNull(0))
                {
                    missed += long.Parse(reader.GetString(1), CultureInfo.InvariantCulture);
                    continue;
                }

                missed--;
                var index = reader.GetInt32(0);
                views[index] = views[index] with
                {
                    Status = reader.GetString(1),
                    LeaseSeconds = reader.IsDBNull(2) ? null : reader.GetInt16(2),
                };
            }

            return missed;
        }

        private static void Add(NpgsqlCommand command, string name, NpgsqlDbType type, object values) =>
            command.Parameters.Add(new(name, NpgsqlDbType.Array | type) { Value = values });
    }

    private static class Sql
    {
        // Rows are looked for by their keys and reached by their places, in the order of every end; see JobEndings. The last row says
        // how many were found.
        public const string Extend = """
            WITH found AS MATERIALIZED (
                SELECT f.place, f.claim_no, f.lease_seconds, f.is_over, b.position, b.progress, b.note, b.checkpoint
                FROM unnest(
                    @Ids::uuid[], @ClaimNos::bigint[], @ClaimKeys::uuid[], @Progress::real[], @Notes::text[], @Checkpoints::text[],
                    @Positions::integer[]
                ) AS b(id, claim_no, claim_key, progress, note, checkpoint, position)
                CROSS JOIN LATERAL (
                    SELECT j.ctid AS place, j.claim_no, q.lease_seconds,
                        j.claimed_at + make_interval(secs => q.max_run_seconds) < now() AS is_over
                    FROM jobs j
                    JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
                    WHERE j.project_id = @ProjectId AND j.id = b.id AND j.claim_no = b.claim_no AND j.claim_key = b.claim_key
                        AND j.worker_id = @WorkerId AND j.lease_until IS NOT NULL
                        AND (@ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues))
                    LIMIT 1
                ) AS f
            ),
            extended AS (
                UPDATE jobs j
                SET lease_until = CASE WHEN f.is_over THEN j.lease_until ELSE now() + make_interval(secs => f.lease_seconds) END,
                    progress = COALESCE(f.progress, j.progress), note = COALESCE(f.note, j.note),
                    checkpoint = COALESCE(f.checkpoint::json, j.checkpoint)
                FROM found f
                WHERE j.ctid = f.place AND j.claim_no = f.claim_no AND j.lease_until IS NOT NULL
                RETURNING f.position, f.is_over, f.lease_seconds, j.cancel_requested_at IS NOT NULL AS is_canceled
            )
            SELECT position, CASE WHEN is_over THEN 'deadline' WHEN is_canceled THEN 'cancel' ELSE 'ok' END,
                CASE WHEN is_over THEN NULL ELSE lease_seconds END
            FROM extended
            UNION ALL
            SELECT NULL, count(*)::text, NULL
            FROM found
            """;
    }
}
