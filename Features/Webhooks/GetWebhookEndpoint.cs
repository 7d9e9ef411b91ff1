using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Webhooks;

/// <summary>Shows one webhook endpoint, by its id or its name; never its secret.</summary>
public static class GetWebhookEndpoint
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/webhook-endpoints/{id}", Get)
                .RequirePermission(Permissions.WebhooksRead)
                .WithName(nameof(GetWebhookEndpoint))
                .WithTags("Webhooks")
                .Produces<WebhookEndpoint>();

        /// <summary>Get a webhook endpoint</summary>
        public static async Task<IResult> Get(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(NameOrId Endpoint) : IRequest<Result<WebhookEndpoint>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<WebhookEndpoint>>
    {
        public async Task<Result<WebhookEndpoint>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachTags,
                caller.ReachOwner,
                query.Endpoint.Id,
                query.Endpoint.Name,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var row = await connection.QuerySingleOrDefaultAsync<EndpointRow>(
                Sql.Find.With(arguments, cancellationToken)
            );
            return row is null
                ? Problems.NotFound.Because($"There is no webhook endpoint {query.Endpoint}.")
                : row.ToEndpoint();
        }
    }

    private static class Sql
    {
        public const string Find =
            """
                SELECT id, name, url, event_types, state, retry::text AS retry, concurrency, tags, owner_id, revision, created_at,
                    updated_at
                FROM webhook_endpoints
                WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
                """ + Reach.Rows;
    }
}
