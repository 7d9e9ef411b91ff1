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
                .WithPagingByTime("created_at", "endpoint_id", new ListFilter("state", DeliveryState.All))
                .WithName(nameof(ListDeliveries))
                .WithTags("Webhooks")
                .Produces<Page<Delivery>>();

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
                const string Message = "The id of a webhook endpoint.";
                return new ProblemResponse(
                    Problems.InvalidParameter.Because(
                        $"endpoint_id: {Message}",
                        FieldError.InParameter("endpoint_id", "invalid", Message)
                    )
                );
            }

            var state = http.Request.Query["state"];
            var query = new Query(
                paging.Unwrap(),
                endpoint.Count > 0 ? endpointId : null,
                state.Count > 0 ? state[0] : null
            );
            return (await mediator.Send(query, cancellationToken)).ToHttp(http);
        }
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
                caller.ReachTags,
                caller.ReachOwner,
                query.EndpointId,
                query.State,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<Delivery>(Choose(query).With(arguments, cancellationToken));
            return query.Page.ToPage(rows.AsList(), delivery => delivery.Id);
        }

        private static string Choose(Query query) =>
            (query.EndpointId, query.State, query.Page.OldestFirst) switch
            {
                (null, null, false) => Sql.All,
                (null, null, true) => Sql.AllFromOldest,
                (null, DeliveryState.Succeeded, false) => Sql.Succeeded,
                (null, DeliveryState.Succeeded, true) => Sql.SucceededFromOldest,
                (null, _, false) => Sql.InState,
                (null, _, true) => Sql.InStateFromOldest,
                (_, null, false) => Sql.OfEndpoint,
                (_, null, true) => Sql.OfEndpointFromOldest,
                (_, DeliveryState.Succeeded, false) => Sql.OfEndpointSucceeded,
                (_, DeliveryState.Succeeded, true) => Sql.OfEndpointSucceededFromOldest,
                (_, _, false) => Sql.OfEndpointInState,
                (_, _, true) => Sql.OfEndpointInStateFromOldest,
            };
    }

    private static class Sql
    {
        public const string All = Rows + ListOrder.NewestFirst;
        public const string AllFromOldest = Rows + ListOrder.OldestFirst;
        public const string Succeeded = Rows + IsSucceeded + ListOrder.NewestFirst;
        public const string SucceededFromOldest = Rows + IsSucceeded + ListOrder.OldestFirst;
        public const string InState = Rows + IsInState + ListOrder.NewestFirst;
        public const string InStateFromOldest = Rows + IsInState + ListOrder.OldestFirst;
        public const string OfEndpoint = RowsOfEndpoint + ListOrder.NewestFirst;
        public const string OfEndpointFromOldest = RowsOfEndpoint + ListOrder.OldestFirst;
        public const string OfEndpointSucceeded = RowsOfEndpoint + IsSucceeded + ListOrder.NewestFirst;
        public const string OfEndpointSucceededFromOldest = RowsOfEndpoint + IsSucceeded + ListOrder.OldestFirst;
        public const string OfEndpointInState = RowsOfEndpoint + IsInState + ListOrder.NewestFirst;
        public const string OfEndpointInStateFromOldest = RowsOfEndpoint + IsInState + ListOrder.OldestFirst;

        private const string Rows =
            """
                SELECT id, event_id, endpoint_id, state, sequence, attempts AS attempt, next_attempt_at, created_at, finished_at
                FROM deliveries
                WHERE project_id = @ProjectId AND id >= @From AND id < @Until
                """ + DeliveryReach.Rows;

        private const string RowsOfEndpoint = Rows + " AND endpoint_id = @EndpointId";

        private const string IsSucceeded = " AND state = 'succeeded'";

        // the second condition is that of the index
        private const string IsInState = " AND state = @State AND state <> 'succeeded'";
    }
}
