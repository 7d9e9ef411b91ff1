using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Webhooks;

/// <summary>Lists deliveries, those of the newest events first; of one endpoint or in one state where that is asked for.</summary>
public static class ListDeliveries
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/deliveries", Get)
                .RequirePermission(Permissions.WebhooksRead)
                .WithPaging("endpoint_id", "state")
                .WithName(nameof(ListDeliveries))
                .WithTags("Webhooks")
                .Produces<Page<Delivery>>()
                .WithFilterOf("state", DeliveryState.All);

        /// <summary>List deliveries</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var paging = Paging.Read(http);
            if (paging.Problem is { } problem)
            {
                return new ProblemResponse(problem);
            }

            var endpoint = http.Request.Query["endpoint_id"];
            var endpointId = Guid.Empty;
            if (endpoint.Count > 0 && !Guid.TryParseExact(endpoint[0], "D", out endpointId))
            {
                return Invalid("endpoint_id", "The id of a webhook endpoint.");
            }

            var state = http.Request.Query["state"];
            if (state.Count > 0 && !DeliveryState.All.Contains(state[0], StringComparer.Ordinal))
            {
                return Invalid("state", $"One of {string.Join(", ", DeliveryState.All)}.");
            }

            var query = new Query(
                paging.Unwrap(),
                endpoint.Count > 0 ? endpointId : null,
                state.Count > 0 ? state[0] : null
            );
            return (await mediator.Send(query, cancellationToken)).ToHttp(http);
        }

        private static ProblemResponse Invalid(string parameter, string message) =>
            new(
                Problems.InvalidParameter.Because(
                    $"{parameter}: {message}",
                    FieldError.InParameter(parameter, "invalid", message)
                )
            );
    }

    public sealed record Query(PageRequest Page, Guid? EndpointId, string? State) : IRequest<Result<Page<Delivery>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<Delivery>>>
    {
        public async Task<Result<Page<Delivery>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                query.EndpointId,
                query.State,
                Before = query.Page.AfterId ?? Guid.AllBitsSet,
                Take = query.Page.Limit + 1,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<Delivery>(
                (query.EndpointId is null ? Sql.All : Sql.OfEndpoint).With(arguments, cancellationToken)
            );
            return query.Page.ToPage(rows.AsList(), delivery => delivery.Id);
        }
    }

    private static class Sql
    {
        public const string All = """
            SELECT id, event_id, endpoint_id, state, sequence, attempts AS attempt, next_attempt_at, created_at, finished_at
            FROM deliveries
            WHERE project_id = @ProjectId AND id < @Before AND (@State::text IS NULL OR state = @State)
            ORDER BY id DESC
            LIMIT @Take
            """;

        public const string OfEndpoint = """
            SELECT id, event_id, endpoint_id, state, sequence, attempts AS attempt, next_attempt_at, created_at, finished_at
            FROM deliveries
            WHERE project_id = @ProjectId AND endpoint_id = @EndpointId AND id < @Before
                AND (@State::text IS NULL OR state = @State)
            ORDER BY id DESC
            LIMIT @Take
            """;
    }
}
