using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Webhooks;

/// <summary>Lists the webhook endpoints, the newest first; never their secrets.</summary>
public static class ListWebhookEndpoints
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/webhook-endpoints", Get)
                .RequirePermission(Permissions.WebhooksRead)
                .WithPagingByTime("created_at")
                .WithName(nameof(ListWebhookEndpoints))
                .WithTags("Webhooks")
                .Produces<Page<WebhookEndpoint>>();

        /// <summary>List webhook endpoints</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(paging.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(PageRequest Page) : IRequest<Result<Page<WebhookEndpoint>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<WebhookEndpoint>>>
    {
        public async Task<Result<Page<WebhookEndpoint>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachTags,
                caller.ReachOwner,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<EndpointRow>(
                (query.Page.OldestFirst ? Sql.ListFromOldest : Sql.List).With(arguments, cancellationToken)
            );
            WebhookEndpoint[] endpoints = [.. rows.Select(row => row.ToEndpoint())];
            return query.Page.ToPage(endpoints, endpoint => endpoint.Id);
        }
    }

    private static class Sql
    {
        public const string List = Rows + ListOrder.NewestFirst;
        public const string ListFromOldest = Rows + ListOrder.OldestFirst;

        private const string Rows =
            """
                SELECT id, name, url, event_types, state, retry::text AS retry, concurrency, tags, owner_id, revision, created_at,
                    updated_at
                FROM webhook_endpoints
                WHERE project_id = @ProjectId AND id >= @From AND id < @Until AND deleted_at IS NULL
                """ + Reach.Rows;
    }
}
