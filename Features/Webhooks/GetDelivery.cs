using System.ComponentModel.DataAnnotations;
using System.Text;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Webhooks;

/// <summary>Shows a delivery with every attempt that was made.</summary>
public static class GetDelivery
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/deliveries/{id:guid}", Get)
                .RequirePermission(Permissions.WebhooksRead)
                .WithName(nameof(GetDelivery))
                .WithTags("Webhooks")
                .Produces<Response>();

        /// <summary>Get a delivery</summary>
        public static async Task<IResult> Get(Guid id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(id), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(Guid Id) : IRequest<Result<Response>>;

    /// <param name="Attempts">In their order. One that is under way is not among them.</param>
    public sealed record Response(
        Guid Id,
        Guid EventId,
        Guid EndpointId,
        [property: WordOf(typeof(DeliveryState))] string State,
        long? Sequence,
        short Attempt,
        DateTime? NextAttemptAt,
        DateTime CreatedAt,
        DateTime? FinishedAt,
        [property: MaxLength(1_000)] IReadOnlyList<DeliveryAttempt> Attempts
    ) : IExampled<Response>
    {
        public static Response Example =>
            new(
                Story.Delivery,
                Story.Event,
                Story.Endpoint,
                DeliveryState.Succeeded,
                1,
                1,
                null,
                Story.At,
                Story.After(94),
                [new DeliveryAttempt(1, Story.After(22), 204, null, 71, "")]
            );
    }

    internal sealed class Handler(NpgsqlDataSource database, Caller caller) : IRequestHandler<Query, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachTags,
                caller.ReachOwner,
                query.Id,
                WithResponse = caller.May(Permissions.DataRead),
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            await using var snapshot = await connection.BeginSnapshotAsync(cancellationToken);
            var found = await connection.QuerySingleOrDefaultAsync<Delivery>(
                Sql.Find.With(arguments, cancellationToken)
            );
            if (found is null)
            {
                return Problems.NotFound.Because($"There is no delivery {query.Id}.");
            }

            var attempts = await connection.QueryAsync<AttemptRow>(Sql.Attempts.With(arguments, cancellationToken));
            return new Response(
                found.Id,
                found.EventId,
                found.EndpointId,
                found.State,
                found.Sequence,
                found.Attempt,
                found.NextAttemptAt,
                found.CreatedAt,
                found.FinishedAt,
                [.. attempts.Select(row => row.ToAttempt())]
            );
        }

        private sealed record AttemptRow(
            short Attempt,
            DateTime At,
            short? Status,
            string? Error,
            int? DurationMs,
            byte[]? Response
        )
        {
            public DeliveryAttempt ToAttempt() =>
                new(
                    Attempt,
                    At,
                    Status,
                    Error,
                    DurationMs,
                    Response is null ? null : Encoding.UTF8.GetString(Response)
                );
        }
    }

    private static class Sql
    {
        public const string Find =
            """
                SELECT id, event_id, endpoint_id, state, sequence, attempts AS attempt, next_attempt_at, created_at, finished_at
                FROM deliveries
                WHERE project_id = @ProjectId AND id = @Id
                """ + DeliveryReach.Rows;

        public const string Attempts = """
            SELECT attempt, at, status, error, duration_ms, CASE WHEN @WithResponse THEN response END AS response
            FROM delivery_attempts
            WHERE project_id = @ProjectId AND delivery_id = @Id
            ORDER BY attempt
            """;
    }
}
