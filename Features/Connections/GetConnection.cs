using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Connections;

/// <summary>Shows one connection, by its id or its name; never its secret.</summary>
public static class GetConnection
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/connections/{id}", Get)
                .RequirePermission(Permissions.ConnectionsRead)
                .WithName(nameof(GetConnection))
                .WithTags("Connections")
                .Produces<ConnectionView>();

        /// <summary>Get a connection</summary>
        public static async Task<IResult> Get(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(NameOrId Connection) : IRequest<Result<ConnectionView>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<ConnectionView>>
    {
        public async Task<Result<ConnectionView>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachTags,
                caller.ReachOwner,
                query.Connection.Id,
                query.Connection.Name,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var row = await connection.QuerySingleOrDefaultAsync<ConnectionRow>(
                Sql.Find.With(arguments, cancellationToken)
            );
            return row is null
                ? Problems.NotFound.Because($"There is no connection {query.Connection}.")
                : row.ToView();
        }
    }

    private static class Sql
    {
        public const string Find =
            """
                SELECT id, name, kind, config::text AS config, secret_name, secret IS NOT NULL AS has_secret, tags, owner_id,
                    revision, created_at, updated_at
                FROM connections
                WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text)
                """ + Reach.Rows;
    }
}
