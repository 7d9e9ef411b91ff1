using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Connections;

/// <summary>Lists the connections, the newest first; never their secrets.</summary>
public static class ListConnections
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/connections", Get)
                .RequirePermission(Permissions.ConnectionsRead)
                .WithPagingByTime("created_at", new ListFilter("kind", ConnectionKind.All))
                .WithName(nameof(ListConnections))
                .WithTags("Connections")
                .Produces<Page<ConnectionView>>();

        /// <summary>List connections</summary>
        public static async Task<IResult> Get(
            string? kind,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(paging.Unwrap(), kind), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(PageRequest Page, string? Kind = null) : IRequest<Result<Page<ConnectionView>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<ConnectionView>>>
    {
        public async Task<Result<Page<ConnectionView>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachTags,
                caller.ReachOwner,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
                query.Kind,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<ConnectionRow>(
                Choose(query.Kind, query.Page.OldestFirst).With(arguments, cancellationToken)
            );
            ConnectionView[] connections = [.. rows.Select(row => row.ToView())];
            return query.Page.ToPage(connections, connection => connection.Id);
        }

        private static string Choose(string? kind, bool oldestFirst) =>
            kind is null
                ? (oldestFirst ? Sql.AllFromOldest : Sql.All)
                : (oldestFirst ? Sql.OfKindFromOldest : Sql.OfKind);
    }

    private static class Sql
    {
        public const string All = Rows + ListOrder.NewestFirst;
        public const string AllFromOldest = Rows + ListOrder.OldestFirst;
        public const string OfKind = Rows + " AND kind = @Kind" + ListOrder.NewestFirst;
        public const string OfKindFromOldest = Rows + " AND kind = @Kind" + ListOrder.OldestFirst;

        private const string Rows =
            """
                SELECT id, name, kind, config::text AS config, secret_name, secret IS NOT NULL AS has_secret, tags, owner_id,
                    revision, created_at, updated_at
                FROM connections
                WHERE project_id = @ProjectId AND id >= @From AND id < @Until
                """ + Reach.Rows;
    }
}
