using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Sources;

/// <summary>Lists the requests a source refused, the newest first, each with its reason.</summary>
/// <remarks>One a second is kept; <c>also_rejected</c> counts those that came in the same second. Bodies need <c>data:read</c>.</remarks>
public static class ListRejections
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/sources/{id}/rejections", Get)
                .RequirePermission(Permissions.SourcesRead)
                .WithPagingByTime("rejected_at")
                .WithName(nameof(ListRejections))
                .WithTags("Sources")
                .Produces<Page<RejectedRequest>>();

        /// <summary>List refused requests</summary>
        public static async Task<IResult> Get(
            string id,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(NameOrId.Parse(id), paging.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(NameOrId Source, PageRequest Page) : IRequest<Result<Page<RejectedRequest>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<RejectedRequest>>>
    {
        public async Task<Result<Page<RejectedRequest>>> Handle(Query query, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var sourceId = await connection.QuerySingleOrDefaultAsync<Guid?>(
                Sql.FindSource.With(
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
            if (sourceId is null)
            {
                return Problems.NotFound.Because($"There is no source {query.Source}.");
            }

            var arguments = new
            {
                caller.ProjectId,
                SourceId = sourceId,
                WithBody = caller.May(Permissions.DataRead),
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
            };
            var rows = await connection.QueryAsync<RejectionRow>(
                (query.Page.OldestFirst ? Sql.ListFromOldest : Sql.List).With(arguments, cancellationToken)
            );
            RejectedRequest[] rejections = [.. rows.Select(row => row.ToRejected())];
            return query.Page.ToPage(rejections, rejection => rejection.Id);
        }
    }

    private static class Sql
    {
        public const string FindSource =
            """
                SELECT id FROM sources WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
                """ + Reach.Rows;

        public const string List = Rows + ListOrder.NewestFirst;
        public const string ListFromOldest = Rows + ListOrder.OldestFirst;

        private const string Rows = """
            SELECT id, rejected_at, reason, detail, headers, CASE WHEN @WithBody THEN body END AS body, body_bytes, also_rejected
            FROM source_rejections
            WHERE project_id = @ProjectId AND source_id = @SourceId AND id >= @From AND id < @Until
            """;
    }
}
