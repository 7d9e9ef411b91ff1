using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Sources;

/// <summary>Shows one source, by its id or its name.</summary>
public static class GetSource
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/sources/{id}", Get)
                .RequirePermission(Permissions.SourcesRead)
                .WithName(nameof(GetSource))
                .WithTags("Sources")
                .Produces<SourceView>();

        /// <summary>Get a source</summary>
        public static async Task<IResult> Get(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(NameOrId Source) : IRequest<Result<SourceView>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller) : IRequestHandler<Query, Result<SourceView>>
    {
        public async Task<Result<SourceView>> Handle(Query query, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var source = await connection.QuerySingleOrDefaultAsync<SourceRow>(
                Sql.Find.With(
                    new
                    {
                        caller.ProjectId,
                        caller.ReachTags,
                        caller.ReachOwner,
                        query.Source.Id,
                        query.Source.Name,
                    },
                    cancellationToken
                )
            );
            return source is null ? Problems.NotFound.Because($"There is no source {query.Source}.") : source.ToView();
        }
    }

    private static class Sql
    {
        public const string Find =
            """
                SELECT id, name, scheme, '/in/' || token AS inbound_path, tags, owner_id, revision, created_at, updated_at
                FROM sources
                WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
                """ + Reach.Rows;
    }
}
