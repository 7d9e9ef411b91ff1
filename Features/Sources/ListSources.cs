using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Sources;

/// <summary>Lists the sources, the newest first.</summary>
public static class ListSources
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/sources", Get)
                .RequirePermission(Permissions.SourcesRead)
                .WithPagingByTime("created_at")
                .WithName(nameof(ListSources))
                .WithTags("Sources")
                .Produces<Page<SourceView>>();

        /// <summary>List sources</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(paging.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(PageRequest Page) : IRequest<Result<Page<SourceView>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<SourceView>>>
    {
        public async Task<Result<Page<SourceView>>> Handle(Query query, CancellationToken cancellationToken)
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
            var rows = await connection.QueryAsync<SourceRow>(
                (query.Page.OldestFirst ? Sql.ListFromOldest : Sql.List).With(arguments, cancellationToken)
            );
            SourceView[] sources = [.. rows.Select(row => row.ToView())];
            return query.Page.ToPage(sources, source => source.Id);
        }
    }

    private static class Sql
    {
        public const string List = Rows + ListOrder.NewestFirst;
        public const string ListFromOldest = Rows + ListOrder.OldestFirst;

        private const string Rows =
            """
                SELECT id, name, scheme, '/in/' || token AS inbound_path, tags, owner_id, revision, created_at, updated_at
                FROM sources
                WHERE project_id = @ProjectId AND id >= @From AND id < @Until AND deleted_at IS NULL
                """ + Reach.Rows;
    }
}
